"""Our reader of GGUF headers, tested on files of gguf's writer."""

import struct
from pathlib import Path

import gguf
import numpy as np
import pytest

from service.engine.files.gguf_header import read_metadata, read_text_metadata
from service.errors import ModelUnavailable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with values of every kind before and after texts, and a tensor."""
    path = tmp_path / "a.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_bool("a.bool", True)
    writer.add_uint8("a.uint8", 1)
    writer.add_int16("a.int16", -2)
    writer.add_uint32("a.uint32", 3)
    writer.add_uint64("a.uint64", 4)
    writer.add_float64("a.float64", 0.5)
    writer.add_array("a.numbers", [1, 2, 3])
    writer.add_array("a.words", ["one", "two"])
    writer.add_string("b.text", "é")
    writer.add_float32("c.float32", 1.5)
    writer.add_string("d.text", "last")
    writer.add_tensor("t", np.zeros((2, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_texts_are_found_among_values_of_all_kinds(path: Path) -> None:
    assert read_text_metadata(path) == {
        "general.architecture": "llama",
        "b.text": "é",
        "d.text": "last",
    }


def test_a_header_that_ends_too_early_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    end = whole.index(b"last") + len(b"last")
    for keep in range(4, end):
        path.write_bytes(whole[:keep])

        with pytest.raises(ModelUnavailable, match=r"a\.gguf is damaged"):
            read_text_metadata(path)


@pytest.mark.parametrize("number", [0xFFFFFFFF, 2**63, 2**64 - 1])
@pytest.mark.parametrize("offset", [16, 24])
def test_impossible_counts_and_lengths_are_refused(path: Path, offset: int, number: int) -> None:
    """Offset 16 has the number of values, offset 24 the length of the first key."""
    damaged = bytearray(path.read_bytes())
    struct.pack_into("<Q", damaged, offset, number)
    path.write_bytes(damaged)

    with pytest.raises(ModelUnavailable, match="damaged"):
        read_text_metadata(path)


def test_numbers_and_short_lists_of_numbers_are_found(path: Path) -> None:
    metadata = read_metadata(path)

    assert [metadata[f"a.{one}"] for one in ("bool", "uint8", "int16", "uint32")] == [1, 1, -2, 3]
    assert (metadata["a.float64"], metadata["c.float32"]) == (0.5, 1.5)
    assert (metadata["a.numbers"], metadata["a.words"]) == ((1, 2, 3), ())
