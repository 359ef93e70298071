"""Reads the text metadata of a GGUF file without llama.cpp.

llama.cpp ends the process when a file is damaged, and the server must go on.
"""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

from service.errors import ModelUnavailable
from service.messages import Text

# https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
START = 24
TEXT, ARRAY = 8, 9
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
KIND, LENGTH, ITEMS = struct.Struct("<I"), struct.Struct("<Q"), struct.Struct("<IQ")


def read_text_metadata(path: Path) -> dict[str, str]:
    """The metadata values that are texts, by key.

    Raises:
        ModelUnavailable: the header is damaged.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return dict(_texts(data))
    except (struct.error, ValueError, LookupError, OverflowError) as error:
        raise ModelUnavailable(
            Text("The header of the GGUF file %(path)s is damaged or incomplete.", path=path)
        ) from error


def _texts(data: mmap.mmap) -> Iterator[tuple[str, str]]:
    position = START
    for _ in range(LENGTH.unpack_from(data, START - LENGTH.size)[0]):
        key, position = _text(data, position)
        (kind,) = KIND.unpack_from(data, position)
        position += KIND.size
        if kind == TEXT:
            value, position = _text(data, position)
            yield key, value
        elif kind == ARRAY:
            position = _end_of_array(data, position)
        else:
            position += SIZES[kind]


def _text(data: mmap.mmap, position: int) -> tuple[str, int]:
    """The text at a position, and the position after it."""
    start = position + LENGTH.size
    end = start + LENGTH.unpack_from(data, position)[0]
    if end > len(data):
        raise ValueError(f"a text ends at byte {end} of {len(data)}")
    return data[start:end].decode("utf-8", "replace"), end


def _end_of_array(data: mmap.mmap, position: int) -> int:
    kind, length = ITEMS.unpack_from(data, position)
    position += ITEMS.size
    if kind != TEXT:
        return position + int(SIZES[kind] * length)
    for _ in range(length):
        position = _text(data, position)[1]
    return position
