"""Reads plain text with one idea per line."""

import re

from service.schemas.imports import Draft, ParsedFile
from service.transfer.readers.drafting import Faults, title_and_body

# Bullets and numbers that people write before list items.
_BULLET = re.compile(r"^\s*(?:[-*+•‣–]|\d{1,4}[.)])\s+")


def read_lines(text: str, title_limit: int) -> ParsedFile:
    parsed, faults = ParsedFile(), Faults()
    for number, line in enumerate(text.splitlines(), start=1):
        words = _BULLET.sub("", line)
        title, body = title_and_body(words, "", title_limit)
        if title:
            title, body = faults.title(title, number), faults.body(body, number)
            parsed.ideas.append(Draft(number, title, body))
    faults.check()
    return parsed
