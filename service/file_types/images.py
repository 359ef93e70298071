"""Reads the size of images from their headers, and takes out of them what tells about the person.

Photos of phones hold the place where they were taken, the device and sometimes a name. Such parts are
dropped without touching the picture. Only how the picture is to be turned is kept.
"""

import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from service.file_types.sniffing import GIF, JPEG, PNG, WEBP, FileType


class DamagedImage(ValueError):
    """The bytes begin like an image and go on like none."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image as it is stored; the size is that in which it is seen."""

    content: bytes
    width: int
    height: int


def clean_image(content: bytes, kind: FileType) -> Image:
    """Raises: DamagedImage."""
    try:
        image = _CLEANERS[kind](content)
    except (struct.error, IndexError) as error:
        raise DamagedImage from error
    if image.width < 1 or image.height < 1:
        raise DamagedImage
    return image


# JPEG

_SOI = b"\xff\xd8"
_START_OF_SCAN, _END = 0xDA, 0xD9
_COMMENT, _APP0, _APP1, _APP2, _APP14, _APP15 = 0xFE, 0xE0, 0xE1, 0xE2, 0xEE, 0xEF
_ALONE = {0x01, *range(0xD0, 0xD8), _END}
# The headers of a frame hold the size; 0xC4, 0xC8 and 0xCC are other tables.
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# In the compressed picture, a marker is what is neither a stuffed byte nor a restart.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_EXIF = b"Exif\x00\x00"
_ORIENTATION = 0x0112
_SHORT = 3
# Turned by a quarter.
_LYING = range(5, 9)


@dataclass(frozen=True, slots=True)
class _Segment:
    """`data` is the whole segment with its marker and, for a scan, the compressed picture after it."""

    marker: int
    data: bytes

    @property
    def payload(self) -> bytes:
        return self.data[4:]

    @property
    def is_kept(self) -> bool:
        """Whether it belongs to the picture: its frame of reference and its colours are needed."""
        if self.marker == _APP2:
            return self.payload.startswith(b"ICC_PROFILE\x00")
        is_application = _APP0 <= self.marker <= _APP15 or self.marker == _COMMENT
        return not is_application or self.marker in (_APP0, _APP14)


def _clean_jpeg(content: bytes) -> Image:
    size, turned, kept = None, 1, []
    for segment in _segments(content):
        if segment.marker in _FRAMES:
            height, width = struct.unpack_from(">HH", segment.data, 5)
            size = (width, height)
        if segment.marker == _APP1 and segment.payload.startswith(_EXIF):
            turned = _orientation(segment.payload[len(_EXIF) :])
        if segment.is_kept:
            kept.append(segment.data)
    if size is None:
        raise DamagedImage
    head = kept[:1] if kept[0][1] == _APP0 else []
    exif = [] if turned == 1 else [_only_orientation(turned)]
    width, height = reversed(size) if turned in _LYING else size
    return Image(b"".join((_SOI, *head, *exif, *kept[len(head) :])), width, height)


def _segments(content: bytes) -> Iterator[_Segment]:
    """Up to the end of the picture: cameras put further pictures with data of their own behind it."""
    at, marker = len(_SOI), 0
    while marker != _END and at < len(content):
        begin = _marker_at(content, at)
        marker = content[begin + 1]
        at = begin + 2
        if marker not in _ALONE:
            (length,) = struct.unpack_from(">H", content, at)
            at += length
            if length < 2 or at > len(content):
                raise DamagedImage
        if marker == _START_OF_SCAN:
            # One that was cut off has no marker after it; browsers show what there is.
            after = _MARKER.search(content, at)
            at = len(content) if after is None else after.start()
        yield _Segment(marker, content[begin:at])


def _marker_at(content: bytes, at: int) -> int:
    """Any number of bytes may fill the space before a marker."""
    if content[at] != 0xFF:
        raise DamagedImage
    while content[at + 1] == 0xFF:
        at += 1
    return at


def _orientation(tiff: bytes) -> int:
    """1 if it is not told, or not in a way that can be read."""
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", tiff, place)
            if (tag, kind) == (_ORIENTATION, _SHORT):
                (value,) = struct.unpack_from(f"{order}H", tiff, place + 8)
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1


def _only_orientation(value: int) -> bytes:
    tiff = struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, _ORIENTATION, _SHORT, 1, value, 0, 0)
    return struct.pack(">BBH", 0xFF, _APP1, 2 + len(_EXIF) + len(tiff)) + _EXIF + tiff


# PNG, GIF and WebP

_PNG_HEAD = 8
_TELLING = {b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"tIME"}


def _clean_png(content: bytes) -> Image:
    if content[12:16] != b"IHDR":
        raise DamagedImage
    width, height = struct.unpack_from(">II", content, 16)
    kept, at, kind = [content[:_PNG_HEAD]], _PNG_HEAD, b""
    while kind != b"IEND" and at < len(content):
        (length,) = struct.unpack_from(">I", content, at)
        kind = content[at + 4 : at + 8]
        end = at + 12 + length
        if kind not in _TELLING:
            kept.append(content[at:end])
        at = end
    return Image(b"".join(kept), width, height)


def _clean_gif(content: bytes) -> Image:
    width, height = struct.unpack_from("<HH", content, 6)
    return Image(content, width, height)


_WEBP_HEAD = 12
_HAS_EXIF, _HAS_XMP = 0x08, 0x04


def _clean_webp(content: bytes) -> Image:
    kept: list[bytes] = []
    size: tuple[int, int] | None = None
    at = _WEBP_HEAD
    while at + 8 <= len(content):
        kind = content[at : at + 4]
        (length,) = struct.unpack_from("<I", content, at + 4)
        end = at + 8 + length + length % 2
        chunk = content[at:end]
        size = size or _size_of_chunk(kind, chunk[8:])
        if kind == b"VP8X":
            chunk = chunk[:8] + bytes([chunk[8] & ~(_HAS_EXIF | _HAS_XMP)]) + chunk[9:]
        if kind not in (b"EXIF", b"XMP "):
            kept.append(chunk)
        at = end
    if size is None:
        raise DamagedImage
    body = b"WEBP" + b"".join(kept)
    return Image(b"RIFF" + struct.pack("<I", len(body)) + body, *size)


def _size_of_chunk(kind: bytes, data: bytes) -> tuple[int, int] | None:
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[4:7], "little"), 1 + int.from_bytes(data[7:10], "little")
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 1)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 6)
        return width & 0x3FFF, height & 0x3FFF
    return None


_CLEANERS: Mapping[FileType, Callable[[bytes], Image]] = {
    PNG: _clean_png,
    JPEG: _clean_jpeg,
    GIF: _clean_gif,
    WEBP: _clean_webp,
}
