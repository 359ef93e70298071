"""Reads the metadata of a GGUF file without llama.cpp.

llama.cpp ends the process when a file is damaged, and the server must go on.
"""

import mmap
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from service.errors import ModelUnavailable
from service.messages import Text

# https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
START = 24
TEXT, ARRAY = 8, 9
# The format of each kind of number, as `struct` names it.
NUMBERS = {
    kind: struct.Struct(f"<{code}")
    for kind, code in zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True)
}
# Longer lists belong to the vocabulary.
LONGEST_LIST = 1024
KIND, LENGTH, ITEMS = struct.Struct("<I"), struct.Struct("<Q"), struct.Struct("<IQ")
Number = int | float
Metadata = Mapping[str, str | Number | tuple[Number, ...]]


def read_text_metadata(path: Path) -> dict[str, str]:
    """The metadata values that are texts, by key.

    Raises:
        ModelUnavailable: the header is damaged.
    """
    return {key: value for key, value in read_metadata(path).items() if isinstance(value, str)}


def read_metadata(path: Path) -> Metadata:
    """The texts, numbers and short lists of numbers, by key.

    Raises:
        ModelUnavailable: the header is damaged.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return dict(_values(data))
    except (struct.error, ValueError, LookupError, OverflowError) as error:
        raise ModelUnavailable(
            Text("The header of the GGUF file %(path)s is damaged or incomplete.", path=path)
        ) from error


def _values(data: mmap.mmap) -> Iterator[tuple[str, str | Number | tuple[Number, ...]]]:
    position = START
    for _ in range(LENGTH.unpack_from(data, START - LENGTH.size)[0]):
        key, position = _text(data, position)
        (kind,) = KIND.unpack_from(data, position)
        position += KIND.size
        if kind == TEXT:
            value, position = _text(data, position)
            yield key, value
        elif kind == ARRAY:
            numbers, position = _list(data, position)
            yield key, numbers
        else:
            (number,) = NUMBERS[kind].unpack_from(data, position)
            yield key, number
            position += NUMBERS[kind].size


def _text(data: mmap.mmap, position: int) -> tuple[str, int]:
    """The text at a position, and the position after it."""
    start = position + LENGTH.size
    end = start + LENGTH.unpack_from(data, position)[0]
    if end > len(data):
        raise ValueError(f"a text ends at byte {end} of {len(data)}")
    return data[start:end].decode("utf-8", "replace"), end


def _list(data: mmap.mmap, position: int) -> tuple[tuple[Number, ...], int]:
    """The numbers of a list, or nothing for a list of texts or a long one; and where it ends."""
    kind, length = ITEMS.unpack_from(data, position)
    position += ITEMS.size
    if kind == TEXT:
        return (), _end_of_texts(data, position, length)
    form = NUMBERS[kind]
    end = position + form.size * length
    if end > len(data):
        raise ValueError(f"a list ends at byte {end} of {len(data)}")
    if length > LONGEST_LIST:
        return (), end
    return tuple(value for (value,) in form.iter_unpack(data[position:end])), end


def _end_of_texts(data: mmap.mmap, position: int, count: int) -> int:
    """Vocabularies have hundreds of thousands of texts, so these are not read."""
    for _ in range(count):
        position += LENGTH.size + LENGTH.unpack_from(data, position)[0]
    if position > len(data):
        raise ValueError(f"a text ends at byte {position} of {len(data)}")
    return position
