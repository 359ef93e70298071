"""The checkboxes in a text: list items that begin with `[ ]` or `[x]`, and how one is ticked.

A tick names its box by number and by what stands behind it. So it finds the box in a text that somebody
else has changed meanwhile, and never ticks another one.
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markdown_it.token import Token

_TASK = re.compile(r"\[([ xX])\]\s+(?=\S)")
_TICK = re.compile(r"(\d{1,6})\.([0-9a-f]{8})\.([01])")


@dataclass(frozen=True, slots=True)
class Box:
    """`line` is the place of its line in the text, `item` what stands in the line from the box on."""

    number: int
    inline: Token
    words: str
    is_ticked: bool

    @property
    def digest(self) -> str:
        return f"{zlib.crc32(self.words.encode()):08x}"

    @property
    def toggle(self) -> str:
        """The tick that turns it into the other state."""
        return f"{self.number}.{self.digest}.{0 if self.is_ticked else 1}"

    @property
    def line(self) -> int:
        return self.inline.map[0] if self.inline.map else 0

    @property
    def item(self) -> str:
        return self.inline.content.partition("\n")[0].rstrip()


def boxes(tokens: Sequence[Token]) -> Iterator[Box]:
    """All boxes of a parsed text, in its order."""
    number = 0
    for item, paragraph, inline in zip(tokens, tokens[1:], tokens[2:], strict=False):
        is_first = (item.type, paragraph.type) == ("list_item_open", "paragraph_open")
        mark = _TASK.match(inline.content) if is_first and inline.type == "inline" else None
        first = inline.children[0] if mark and inline.children else None
        if mark and first and first.type == "text" and _TASK.match(first.content + " x"):
            yield Box(number, inline, inline.content[mark.end() :], mark[1] != " ")
            number += 1


def without_mark(text: str) -> str:
    return _TASK.sub("", text, count=1) if _TASK.match(text) else text[3:].lstrip()


def tick(text: str, found: Sequence[Box], wanted: str) -> str | None:
    """The text with the box ticked or not, as `wanted` says; None if the box is not in it any more."""
    parts = _TICK.fullmatch(wanted)
    if parts is None:
        return None
    number, digest, is_on = int(parts[1]), parts[2], parts[3] == "1"
    same = [box for box in found if box.digest == digest]
    box = next((one for one in same if one.number == number), same[0] if len(same) == 1 else None)
    if box is None:
        return None
    lines = text.split("\n")
    line = lines[box.line]
    at = len(line.rstrip()) - len(box.item)
    if at < 0 or not _TASK.match(line[at:] + " x"):
        return None
    lines[box.line] = f"{line[:at]}[{'x' if is_on else ' '}]{line[at + 3 :]}"
    return "\n".join(lines)
