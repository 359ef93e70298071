"""Tells what kind of file some bytes are, from the bytes alone and among a list of allowed kinds.

A name or a header that a browser sends is only a claim, and a server that repeats it can be made to
serve a script as an image. What is not on the list is refused.
"""

import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileType:
    """`is_image` says that browsers may show it in a page; all other files are only downloaded."""

    media_type: str
    endings: tuple[str, ...]
    is_image: bool = False


PNG = FileType("image/png", (".png",), is_image=True)
JPEG = FileType("image/jpeg", (".jpg", ".jpeg"), is_image=True)
GIF = FileType("image/gif", (".gif",), is_image=True)
WEBP = FileType("image/webp", (".webp",), is_image=True)
PDF = FileType("application/pdf", (".pdf",))
SVG = FileType("image/svg+xml", (".svg",))
HTML = FileType("text/html", (".html", ".htm"))
PLAIN = FileType("text/plain", (".txt", ".text", ".log"))
MARKDOWN = FileType("text/markdown", (".md", ".markdown"))
CSV = FileType("text/csv", (".csv",))
_OFFICE = "application/vnd.openxmlformats-officedocument"
_OPEN = "application/vnd.oasis.opendocument"
# The part that tells which program a document is of.
_OFFICE_PARTS = {
    "word/document.xml": FileType(f"{_OFFICE}.wordprocessingml.document", (".docx",)),
    "xl/workbook.xml": FileType(f"{_OFFICE}.spreadsheetml.sheet", (".xlsx",)),
    "ppt/presentation.xml": FileType(f"{_OFFICE}.presentationml.presentation", (".pptx",)),
}
_OPEN_TYPES = {
    f"{_OPEN}.{kind}": FileType(f"{_OPEN}.{kind}", (ending,))
    for kind, ending in (("text", ".odt"), ("spreadsheet", ".ods"), ("presentation", ".odp"))
}
# Text is text whatever its name says; the name only tells which of these harmless kinds it is.
_KINDS_OF_TEXT = (MARKDOWN, CSV)
KNOWN = {
    one.media_type: one
    for one in (
        *(PNG, JPEG, GIF, WEBP, PDF, SVG, HTML, PLAIN, MARKDOWN, CSV),
        *_OFFICE_PARTS.values(),
        *_OPEN_TYPES.values(),
    )
}
_MOST_ENTRIES = 20_000
# What may stand before the first tag of a document.
_PREAMBLE = re.compile(
    r"(?:\s+|<!--.*?-->|<\?.*?\?>|<!doctype(?!\s+html)[^>\[]*(?:\[.*?\]\s*)?>)*", re.I | re.S
)
_HTML = re.compile(r"<(?:!doctype\s+html|html|head|body|script|iframe|meta|title|style)\b", re.I)
_SVG = re.compile(r"<(?:[\w.-]+:)?svg\b", re.I)
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f]")


def sniff(content: bytes, name: str = "") -> FileType | None:
    """None if it is no kind of file that is allowed."""
    for is_it, kind in _SIGNATURES:
        if is_it(content):
            return kind
    if content.startswith(b"PK\x03\x04"):
        return _document(content)
    return _text(content, name)


def _starts(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda content: content.startswith(signatures)


_SIGNATURES: tuple[tuple[Callable[[bytes], bool], FileType], ...] = (
    (_starts(b"\x89PNG\r\n\x1a\n"), PNG),
    (_starts(b"\xff\xd8\xff"), JPEG),
    (_starts(b"GIF87a", b"GIF89a"), GIF),
    (lambda content: content[:4] == b"RIFF" and content[8:12] == b"WEBP", WEBP),
    (_starts(b"%PDF-"), PDF),
)


def _document(content: bytes) -> FileType | None:
    """An office document without macros, in one of the formats that are ZIP files."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            names = {entry.filename for entry in entries}
            if len(entries) > _MOST_ENTRIES or any(one.endswith("vbaProject.bin") for one in names):
                return None
            if entries and entries[0].filename == "mimetype" and entries[0].file_size < 100:
                return _OPEN_TYPES.get(archive.read(entries[0]).decode("ascii", "replace").strip())
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, ValueError):
        return None
    if "[Content_Types].xml" not in names:
        return None
    return next((kind for part, kind in _OFFICE_PARTS.items() if part in names), None)


def _text(content: bytes, name: str) -> FileType | None:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    if _CONTROL.search(text):
        return None
    rest = text[preamble.end() :] if (preamble := _PREAMBLE.match(text)) else text
    if _SVG.match(rest):
        return SVG
    if _HTML.match(rest):
        return HTML
    ending = name.lower()
    return next((kind for kind in _KINDS_OF_TEXT if ending.endswith(kind.endings)), PLAIN)
