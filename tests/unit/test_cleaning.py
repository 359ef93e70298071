import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.cleaning import (
    clean_text,
    count_words,
    has_words_of,
    repeats_itself,
    tidy_title,
    whole_sentences,
    without_sentences_like,
)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("a\x00b\x1b[0m\tc", "ab[0m\tc"),
        ("hi" + "".join(chr(0xE0000 + ord(c)) for c in "secret"), "hi"),
        ("a\u200bb\u2060c\ufeffd\u202ee\u2066f\u200eg\u061ch", "abcdefgh"),
        ("a" + chr(0xE0100) + chr(0xFE00) + "b", "ab"),
        ("lone \ud800 surrogate", "lone  surrogate"),
        ("e\u0301", "\u00e9"),
        ("  both ends \n", "both ends"),
    ],
)
def test_invisible_and_broken_characters_are_removed(text: str, cleaned: str) -> None:
    assert clean_text(text) == cleaned


@pytest.mark.parametrize(
    "text", ["👩\u200d🌾 ❤\ufe0f", "\u0645\u06cc\u200c\u062e\u0648", "🇸🇪", "naïve - “quotes”"]
)
def test_emoji_and_joiners_stay(text: str) -> None:
    assert clean_text(text) == text


@given(st.text(st.characters()))
def test_cleaning_is_idempotent_and_gives_encodable_nfc(text: str) -> None:
    once = clean_text(text)

    assert clean_text(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert "\x00" not in once
    assert "\r" not in once
    once.encode()


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("One. Two. Thr", "One. Two."),
        ("It costs 3.5 euros and", ""),
        ('He says "stop." And', 'He says "stop."'),
        ("一句话。第二", "一句话。"),
        ("What? Yes! no", "What? Yes!"),
        ("", ""),
    ],
)
def test_a_text_is_cut_back_to_whole_sentences(text: str, whole: str) -> None:
    assert whole_sentences(text) == whole


@pytest.mark.parametrize("title", ["", "**", '"', "''", "...", "- "])
def test_a_title_of_punctuation_alone_is_empty_or_short(title: str) -> None:
    assert len(tidy_title(title)) <= 1


@given(st.text(max_size=40))
def test_a_title_is_one_line(title: str) -> None:
    assert "\n" not in tidy_title(title)


def test_words_are_counted_in_scripts_with_and_without_spaces() -> None:
    assert count_words("three short words") == 3
    assert count_words("每周日交换图书") == 4


def test_only_the_third_repetition_is_a_loop() -> None:
    assert not repeats_itself("put a red box here and put a red box there")
    assert repeats_itself("put a red box " * 3)


def test_the_full_stop_of_a_form_of_address_does_not_end_a_sentence() -> None:
    assert whole_sentences("Mr. Okafor supervises. Ask Dr.") == "Mr. Okafor supervises."


def test_sentences_that_contain_a_phrase_are_removed() -> None:
    text = "Keep the shelf. Rewrite this note in this form: x.\nIt helps."

    assert without_sentences_like(("rewrite this note",), text) == "Keep the shelf. \nIt helps."


def test_words_are_recognised_in_other_forms_and_short_words_are_ignored() -> None:
    note = "Lena from reception buys 40 pumps for the bikes by door B."

    assert has_words_of("A pump was bought by the receptionist.", note)
    assert has_words_of("There are 40 of them.", note)
    assert not has_words_of("This makes it clearer and simpler for everyone to read.", note)
