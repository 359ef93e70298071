"""Files are told by what is in them, images lose what tells about people, and names are made safe."""

import io
import struct
import zipfile
import zlib

import pytest

from service.errors import InvalidInput
from service.file_types.images import DamagedImage, clean_image
from service.file_types.intake import take_in
from service.file_types.names import MOST_CHARACTERS, clean_name, disposition
from service.file_types.sniffing import (
    CSV,
    GIF,
    HTML,
    JPEG,
    KNOWN,
    MARKDOWN,
    PDF,
    PLAIN,
    PNG,
    SVG,
    WEBP,
    sniff,
)

SECRET = b"59.3293 N 18.0686 E"


def png(width: int = 3, height: int = 2, *extra: tuple[bytes, bytes]) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(
        b"".join(b"\0" + b"\x10\x80\xf0" * min(width, 64) for _ in range(min(height, 64)))
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(kind, data)
        for kind, data in ((b"IHDR", head), *extra, (b"IDAT", rows), (b"IEND", b""))
    )


def segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(payload)) + payload


def exif(orientation: int, order: str = ">") -> bytes:
    mark = b"MM" if order == ">" else b"II"
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = mark + struct.pack(f"{order}HIH", 42, 8, 1) + entry + struct.pack(f"{order}I", 0)
    return b"Exif\0\0" + tiff + SECRET


def jpeg(*extra: bytes, width: int = 40, height: int = 30, tail: bytes = b"") -> bytes:
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"
    scan = segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + b"\x12\xff\x00\x34\xff\xd0\x56"
    parts = (segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"), *extra, segment(0xC0, frame), scan)
    return b"\xff\xd8" + b"".join(parts) + b"\xff\xd9" + tail


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
        for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def extended(width: int, height: int) -> tuple[bytes, bytes]:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X", bytes([0x0C, 0, 0, 0]) + size


def document(**parts: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), text)
    return file.getvalue()


def office(part: str, **more: str) -> bytes:
    return document(**{"[Content_Types]_dot_xml": "<Types/>", part: "<x/>", **more})


GIF_BYTES = b"GIF89a" + struct.pack("<HH", 7, 5) + b"\0\0\0;"
ODT = "application/vnd.oasis.opendocument.text"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (png(), PNG),
        (jpeg(), JPEG),
        (GIF_BYTES, GIF),
        (webp(extended(9, 8)), WEBP),
        (b"%PDF-1.7\n...", PDF),
        ("Hej på dig".encode(), PLAIN),
        (b"\xef\xbb\xbfwith a mark", PLAIN),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", SVG),
        (b"<?xml version='1.0'?>\n<!-- x -->\n<!DOCTYPE svg [<!ENTITY a 'b'>]><svg/>", SVG),
        (b"  \n<!DOCTYPE html><p>x", HTML),
        (b"<!-- hello --><ScRiPt>alert(1)</script>", HTML),
        (document(mimetype=ODT), KNOWN[ODT]),
        (office("word__document_dot_xml"), KNOWN[DOCX]),
    ],
)
def test_a_file_is_told_by_its_content(content: bytes, kind: object) -> None:
    assert sniff(content, "whatever.png") == kind


@pytest.mark.parametrize(
    "content",
    [
        b"\x7fELF\x02\x01\x01\x00",
        b"MZ\x90\x00",
        b"text with a \x00 in it",
        "Hej på dig".encode("utf-16"),
        b"caf\xe9 in another encoding",
        document(anything="a plain archive"),
        office("word__document_dot_xml", word__vbaProject_dot_bin="macros"),
        office("something__else_dot_xml"),
        b"PK\x03\x04 cut off",
        b"RIFF\0\0\0\0WAVE",
    ],
)
def test_other_kinds_of_files_are_refused(content: bytes) -> None:
    assert sniff(content, "picture.png") is None
    with pytest.raises(InvalidInput, match="cannot be attached"):
        take_in("picture.png", content)


def test_only_a_harmless_kind_of_text_is_chosen_by_the_name() -> None:
    assert sniff(b"a,b", "costs.CSV") == CSV
    assert sniff(b"# Plan", "plan.md") == MARKDOWN
    assert sniff(b"<svg/>", "plan.md") == SVG
    assert sniff(b"plain", "page.html") == PLAIN


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(InvalidInput, match="empty"):
        take_in("empty.txt", b"")


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (png(300, 200), (300, 200)),
        (jpeg(width=640, height=480), (640, 480)),
        (GIF_BYTES, (7, 5)),
        (webp(extended(1000, 70)), (1000, 70)),
        (webp((b"VP8L", b"\x2f" + struct.pack("<I", 99 | 49 << 14))), (100, 50)),
        (webp((b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 33, 44))), (33, 44)),
    ],
)
def test_the_size_of_an_image_is_read_from_its_header(
    content: bytes, size: tuple[int, int]
) -> None:
    file = take_in("image", content)

    assert (file.width, file.height) == size


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_photo_loses_its_place_but_not_how_it_is_turned(order: str) -> None:
    photo = jpeg(
        segment(0xE1, exif(6, order)),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + SECRET),
        segment(0xED, b"Photoshop 3.0\0" + SECRET),
        segment(0xFE, SECRET),
        segment(0xE2, b"ICC_PROFILE\0colours"),
        segment(0xE2, b"MPF\0" + SECRET),
        tail=jpeg(segment(0xE1, exif(1))),
    )

    image = clean_image(photo, JPEG)

    assert SECRET not in image.content
    assert b"ICC_PROFILE\0colours" in image.content
    assert (image.width, image.height) == (30, 40)
    assert clean_image(image.content, JPEG) == image
    assert image.content.endswith(b"\x12\xff\x00\x34\xff\xd0\x56\xff\xd9")


def test_a_photo_that_is_not_turned_needs_no_note() -> None:
    assert clean_image(jpeg(segment(0xE1, exif(1))), JPEG).content == jpeg()


def test_png_and_webp_lose_what_tells_about_people() -> None:
    texts = ((b"tEXt", b"Author\0" + SECRET), (b"eXIf", SECRET), (b"iTXt", SECRET))
    assert clean_image(png(3, 2, *texts) + SECRET, PNG).content == png()

    photo = webp(extended(9, 8), (b"VP8L", b"\x2f\0\0\0\0"), (b"EXIF", SECRET), (b"XMP ", SECRET))
    image = clean_image(photo, WEBP)
    assert SECRET not in image.content
    assert image.content[20] == 0
    assert struct.unpack_from("<I", image.content, 4) == (len(image.content) - 8,)


@pytest.mark.parametrize("kind", [PNG, JPEG, WEBP])
def test_an_image_that_was_cut_off_is_refused_or_kept_but_never_breaks(kind: object) -> None:
    whole = {PNG: png(), JPEG: jpeg(segment(0xE1, exif(6))), WEBP: webp(extended(9, 8))}[kind]  # type: ignore[index]
    for length in range(12, len(whole)):
        try:
            clean_image(whole[:length], kind)  # type: ignore[arg-type]
        except DamagedImage:
            continue


@pytest.mark.parametrize(
    "content", [b"\xff\xd8\xff\xe0", b"\xff\xd8\xff\xd9", b"GIF89a", png(0, 5)]
)
def test_a_damaged_image_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput, match="damaged"):
        take_in("x.png", content)


def test_an_image_that_would_fill_the_memory_of_a_browser_is_refused() -> None:
    with pytest.raises(InvalidInput, match="100000 × 100000"):
        take_in("bomb.png", png(100_000, 100_000))


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("photo.png", "photo.png"),
        ("photo.PNG", "photo.PNG"),
        ("photo.exe", "photo.exe.png"),
        ("../../etc/passwd", "passwd.png"),
        ("C:\\pictures\\me.png", "me.png"),
        ("a\r\nSet-Cookie: x.png", "aSet-Cookie- x.png"),
        ("cod\u202egnp.exe", "codgnp.exe.png"),
        ('quo"te<s>.png', "quo-te-s-.png"),
        ("", "file.png"),
        (" . ", "file.png"),
        (".png", "png.png"),
    ],
)
def test_a_name_is_made_safe(name: str, clean: str) -> None:
    assert clean_name(name, PNG) == clean


def test_a_long_name_keeps_its_ending() -> None:
    name = clean_name("x" * 500 + ".png", PNG)

    assert len(name) == MOST_CHARACTERS
    assert name.endswith("x.png")


def test_a_header_names_the_file_for_old_and_new_programs() -> None:
    header = disposition("blåbär; 100 %.pdf", is_inline=False)

    assert header == (
        "attachment; filename=\"bl_b_r_ 100 _.pdf\"; filename*=UTF-8''bl%C3%A5b%C3%A4r%3B%20100%20%25.pdf"
    )
    assert disposition("x.png", is_inline=True).startswith("inline; ")
