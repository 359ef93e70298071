"""Escapes text in Markdown and CSV files, so that it can be read back exactly.

It covers lists of tags in one cell, cells that a spreadsheet would run as a formula, and the marks
that identify boards and ideas in Markdown.
"""

import re
from collections.abc import Iterable

COLUMNS = (
    *("id", "board", "title", "body", "status", "star"),
    *("tags", "score", "created_at", "updated_at"),
)
COLUMNS_WITH_AUTHOR = (*COLUMNS, "author")
# A spreadsheet runs a cell that begins with one of these signs (OWASP: CSV injection), some also with the
# full-width ones. An apostrophe in front prevents it. A cell that already has apostrophes before such a
# sign gets one more, so that removing one is always right.
_SIGN = r"[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]"
_FORMULA = re.compile(rf"'*{_SIGN}")
_ESCAPED_FORMULA = re.compile(rf"'+{_SIGN}")
# Characters that would end a tag or the list of tags, or would be read as quotation marks.
_NEEDS_QUOTES = re.compile(r"[\",;·<]|^[#\s]")
# Possessive: what matched is never tried again in another way, which takes quadratic time or more.
_TAG = re.compile(r'\s*+(?:"((?:[^"]|"")*+)"|([^,;"]*+))\s*+(?:[,;]|$)')
_MARK = re.compile(r"<!-- (\\*)ideapool:")
KEY = r"[A-Za-z0-9_-]{1,64}"


def escape_formula(cell: str) -> str:
    """Escapes a cell that a spreadsheet would run as a formula."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unescape_formula(cell: str) -> str:
    """Undoes `escape_formula`."""
    return cell[1:] if _ESCAPED_FORMULA.match(cell) else cell


def join_tags(tags: Iterable[str]) -> str:
    return ", ".join(_quoted(tag) if _NEEDS_QUOTES.search(tag) else tag for tag in tags)


def _quoted(tag: str) -> str:
    return '"' + tag.replace('"', '""') + '"'


def split_tags(text: str) -> list[str]:
    """Undoes `join_tags`; it also accepts semicolons, and `#` before a tag."""
    tags = []
    place = 0
    while place < len(text):
        found = _TAG.match(text, place)
        if found is None:
            # The tag contains a quotation mark but is not quoted.
            comma = text.find(",", place)
            end = len(text) if comma < 0 else comma
            tags.append(text[place:end].strip())
            place = end + 1
            continue
        quoted, plain = found.groups()
        tags.append(quoted.replace('""', '"') if quoted is not None else plain.strip().lstrip("#"))
        place = found.end()
    return list(dict.fromkeys(tag for tag in tags if tag))


def board_mark(board_id: str) -> str:
    return f"<!-- ideapool:board {board_id} -->"


def idea_mark(idea_id: str) -> str:
    return f"<!-- ideapool:idea {idea_id} -->"


def escape_marks(text: str) -> str:
    """Escapes text that looks like a mark of a board or an idea."""
    return _MARK.sub(r"<!-- \1\\ideapool:", text)


def unescape_marks(text: str) -> str:
    """Undoes `escape_marks`."""
    return re.sub(r"<!-- (\\*)\\ideapool:", r"<!-- \1ideapool:", text)
