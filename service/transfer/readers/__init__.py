"""Reads ideas from Markdown, CSV and plain lines. It is pure and does not know what is stored.

Fields that a file lacks stay empty. Text that is not part of an idea is reported with its line, so
that nothing is lost unnoticed.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from service.errors import InvalidFile
from service.messages import Text
from service.schemas.fields import TAG_CEILING
from service.schemas.imports import Groups, Nested, ParsedFile, TextFormat
from service.transfer.readers.csv_table import Header, has_header, header_of, read_csv
from service.transfer.readers.drafting import shorten
from service.transfer.readers.lines import read_lines
from service.transfer.readers.outline import read_outline
from service.transfer.readers.own_markdown import is_own, read_own

__all__ = ["Header", "decode", "has_header", "header_of", "read"]


def read(
    content: bytes,
    format: TextFormat,
    *,
    groups: Groups = "boards",
    nested: Nested = "body",
    title_limit: int = 200,
    columns: Mapping[str, str] = MappingProxyType({}),
) -> ParsedFile:
    """Reads the ideas of a file. `columns` maps fields of a table to the names of their columns.

    Raises:
        InvalidFile: names the line, the column and the problem of each fault.
        InvalidInput: there is no such column.
    """
    text = decode(content)
    if format == "csv":
        parsed = read_csv(text, columns)
    elif format == "lines":
        parsed = read_lines(text, title_limit)
    elif is_own(text):
        parsed = read_own(text)
    else:
        parsed = read_outline(text, nested=nested, title_limit=title_limit)
    return _as_tags(parsed) if groups == "tags" else parsed


def decode(content: bytes) -> str:
    """Decodes UTF-8, or UTF-16 with a byte order mark, which spreadsheets write."""
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        before = content[: error.start].decode(encoding, errors="replace")
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        what = Text("This is not UTF-8. Save the file as UTF-8 and try again.")
        raise InvalidFile([(line, column, what)]) from error


def _as_tags(parsed: ParsedFile) -> ParsedFile:
    names = {key: shorten(board.name, TAG_CEILING) for key, board in parsed.boards.items()}
    ideas = [
        idea
        if idea.board is None
        else replace(
            idea,
            board=None,
            tags=list(dict.fromkeys([names[idea.board], *(idea.tags or ())])),
        )
        for idea in parsed.ideas
    ]
    return ParsedFile({}, ideas, parsed.left_out)
