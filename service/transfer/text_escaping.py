"""How the readable files write down what is not plain text, so that it can be read back exactly:
tags in one cell, cells a spreadsheet would run, marks that name ideas in Markdown.
"""

import re
from collections.abc import Iterable

COLUMNS = (
    *("id", "board", "title", "body", "status", "star"),
    *("tags", "score", "created_at", "updated_at"),
)
# A spreadsheet runs a cell that begins so (OWASP: CSV injection). One apostrophe disarms it; a cell
# that has apostrophes before such a sign gets one more, so that taking one away is always right.
_ARMED = re.compile(r"'*[=+\-@\t\r]")
_DISARMED = re.compile(r"'+[=+\-@\t\r]")
# What would end a tag, or the list of them, or be taken for a tag's own quotation marks.
_NEEDS_QUOTES = re.compile(r"[\",;·<]|^[#\s]")
_TAG = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^,;"]*))\s*(?:[,;]|$)')
_MARK = re.compile(r"<!-- (\\*)ideapool:")
KEY = r"[A-Za-z0-9_-]{1,64}"


def disarm(cell: str) -> str:
    return f"'{cell}" if _ARMED.match(cell) else cell


def rearm(cell: str) -> str:
    """Undoes `disarm`."""
    return cell[1:] if _DISARMED.match(cell) else cell


def join_tags(tags: Iterable[str]) -> str:
    return ", ".join(_quoted(tag) if _NEEDS_QUOTES.search(tag) else tag for tag in tags)


def _quoted(tag: str) -> str:
    return '"' + tag.replace('"', '""') + '"'


def split_tags(text: str) -> list[str]:
    """Undoes `join_tags`; also takes semicolons, and `#` before a tag."""
    tags = []
    place = 0
    while place < len(text):
        found = _TAG.match(text, place)
        if found is None:
            # A quotation mark inside a tag that nobody quoted.
            part, _, _ = text[place:].partition(",")
            tags.append(part.strip())
            place += len(part) + 1
            continue
        quoted, plain = found.groups()
        tags.append(quoted.replace('""', '"') if quoted is not None else plain.strip().lstrip("#"))
        place = found.end()
    return list(dict.fromkeys(tag for tag in tags if tag))


def board_mark(board_id: str) -> str:
    return f"<!-- ideapool:board {board_id} -->"


def idea_mark(idea_id: str) -> str:
    return f"<!-- ideapool:idea {idea_id} -->"


def without_marks(text: str) -> str:
    """A person's text, in which what looks like a mark of ours is none."""
    return _MARK.sub(r"<!-- \1\\ideapool:", text)


def with_marks(text: str) -> str:
    """Undoes `without_marks`."""
    return re.sub(r"<!-- (\\*)\\ideapool:", r"<!-- \1ideapool:", text)
