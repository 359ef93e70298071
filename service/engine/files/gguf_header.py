"""The texts in the head of a GGUF file, read without llama.cpp.

llama.cpp ends its process on a damaged file; whoever reads here must live on.
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


def texts_of(path: Path) -> dict[str, str]:
    """The metadata that are texts, by key. Raises ModelUnavailable if the head is damaged."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return dict(_texts(data))
    except (struct.error, ValueError, LookupError, OverflowError) as error:
        raise ModelUnavailable(
            Text("The head of the GGUF file %(path)s is damaged or cut off.", path=path)
        ) from error


def _texts(data: mmap.mmap) -> Iterator[tuple[str, str]]:
    place = START
    for _ in range(LENGTH.unpack_from(data, START - LENGTH.size)[0]):
        key, place = _text(data, place)
        (kind,) = KIND.unpack_from(data, place)
        place += KIND.size
        if kind == TEXT:
            value, place = _text(data, place)
            yield key, value
        elif kind == ARRAY:
            place = _end_of_array(data, place)
        else:
            place += SIZES[kind]


def _text(data: mmap.mmap, place: int) -> tuple[str, int]:
    """It, and where it ends."""
    start = place + LENGTH.size
    end = start + LENGTH.unpack_from(data, place)[0]
    if end > len(data):
        raise ValueError(f"a text ends at byte {end} of {len(data)}")
    return data[start:end].decode("utf-8", "replace"), end


def _end_of_array(data: mmap.mmap, place: int) -> int:
    kind, length = ITEMS.unpack_from(data, place)
    place += ITEMS.size
    if kind != TEXT:
        return place + int(SIZES[kind] * length)
    for _ in range(length):
        place = _text(data, place)[1]
    return place
