"""Reads the Markdown of Ideapool's own export, which marks boards and ideas with their ids."""

import re

from service.schemas.imports import BoardDraft, Draft, ParsedFile
from service.transfer.readers.drafting import Faults, leave_out
from service.transfer.text_escaping import KEY, split_tags, unescape_marks

_BOARD = re.compile(rf"^# (?P<name>.+)\n\n<!-- ideapool:board (?P<id>{KEY}) -->$", re.MULTILINE)
# Possessive, because a quoted name that can be read in two ways doubles the time with each pair of
# quotation marks. Names have no line breaks, so the search for a closing mark ends with the line.
_NAMES = r"(?:\"(?:[^\"\n]|\"\")*+\"|[^\"·<\n])+?"
FACTS = (
    r"Status: (?P<status>[\w -]+?)(?P<star>, starred)?"
    rf"(?: · Tags: (?P<tags>{_NAMES}))?"
    r"(?: · Score: [\d.]+)?"
    rf"(?: · By: {_NAMES})?"
)
_IDEA = re.compile(
    rf"^## (?P<title>.+)\n\n{FACTS} <!-- ideapool:idea (?P<id>{KEY}) -->$", re.MULTILINE
)


def is_own(text: str) -> bool:
    """Whether the text has a mark of a board or an idea."""
    plain = _plain(text)
    return _IDEA.search(plain) is not None or _BOARD.search(plain) is not None


def read_own(text: str) -> ParsedFile:
    plain, parsed, faults = _plain(text), ParsedFile(), Faults()
    parts = sorted([*_BOARD.finditer(plain), *_IDEA.finditer(plain)], key=lambda one: one.start())
    board: str | None = None
    leave_out(parsed, plain[: parts[0].start()], 1)
    line = counted = 0
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        line += plain.count("\n", counted, part.start()) + (counted == 0)
        counted = part.start()
        end = len(plain) if following is None else following.start()
        body = faults.body(unescape_marks(plain[part.end() : end]), line + 4)
        if "name" in part.groupdict():
            board = part["id"]
            name = faults.title(part["name"], line, 3)
            parsed.boards.setdefault(board, BoardDraft(line, name, body, board))
        else:
            parsed.ideas.append(_draft(part, line, body, board, faults))
    faults.check()
    return parsed


def _plain(text: str) -> str:
    return re.sub(r"\r\n?", "\n", text)


def _draft(part: re.Match[str], line: int, body: str, board: str | None, faults: Faults) -> Draft:
    tags = split_tags(part["tags"] or "")
    return Draft(
        line,
        faults.title(part["title"], line, 4),
        body,
        id=part["id"],
        board=board,
        status=faults.status(part["status"], line + 2, 9),
        star=part["star"] is not None,
        tags=faults.tags(tags, line + 2),
    )
