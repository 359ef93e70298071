"""Files made to stop the server that reads them: each is read or refused in a second and 100 MB."""

import contextlib
import time

import pytest

from service.errors import InvalidArchive, InvalidFile, InvalidInput
from service.text.cleaning import clean_text
from service.transfer.file_reader import FileReader, ReadingLimits
from service.transfer.importer import SNIFFED_BYTES, guess_format
from service.transfer.text_escaping import split_tags
from tests.support.hostile_files import BOMBS, CASES, STRICT, K, read


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_file_is_read_or_refused_for_what_is_in_it(name: str) -> None:
    # Other errors say that it took too much.
    with contextlib.suppress(InvalidFile, InvalidArchive):
        read(FileReader(STRICT), *CASES[name])


@pytest.mark.parametrize("name", BOMBS)
def test_a_file_that_takes_too_much_is_refused_and_says_what_helps(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"takes too (long|much memory).*Split it"):
        read(FileReader(STRICT), *BOMBS[name])


def test_a_process_that_does_not_end_is_ended() -> None:
    limits = ReadingLimits(elapsed_s=0.001)

    with pytest.raises(InvalidInput, match="takes too long"):
        FileReader(limits).parsed(b"- a\n" * 1000, "markdown")


def test_an_answer_that_is_too_large_is_not_read() -> None:
    limits = ReadingLimits(output_bytes=100 * K)

    with pytest.raises(InvalidInput, match="too much memory"):
        FileReader(limits).parsed(b"a line\n" * 20 * K, "lines")


def test_files_that_were_refused_leave_room_for_the_next_one() -> None:
    reader = FileReader(ReadingLimits(cpu_s=0.2, at_once=1))
    for _ in range(2):
        with pytest.raises(InvalidInput):
            read(reader, *BOMBS["items"])

    assert [idea.title for idea in reader.parsed(b"- Soup\n- Chalk\n", "markdown").ideas] == [
        "Soup",
        "Chalk",
    ]


@pytest.mark.parametrize("piece", [" \n", "\t", '"', '"a\n', "1", "# \n", "- - "])
def test_the_format_of_a_hostile_file_is_guessed_in_linear_time(piece: str) -> None:
    content = (piece * SNIFFED_BYTES)[:SNIFFED_BYTES]
    begin = time.process_time()

    guess_format(f"x\n{content}!".encode(), "", "")

    assert time.process_time() - begin < 0.5


def test_a_long_run_of_marks_is_cleaned_in_linear_time_and_always_to_the_same() -> None:
    begin = time.process_time()
    cleaned = clean_text("a" + "\u0316\u0301\u0344" * 20 * K)

    assert time.process_time() - begin < 1
    assert clean_text(cleaned) == cleaned
    assert cleaned.replace("\u034f", "").count("\u0316") == 20 * K


def test_tags_with_quotes_are_still_read() -> None:
    assert split_tags('"say ""hi""", plain ; #b,  "c, d" ,say "x"') == [
        'say "hi"',
        "plain",
        "b",
        "c, d",
        'say "x"',
    ]
