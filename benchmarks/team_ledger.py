"""What the writers of a team were told is stored, and what of it is missing. Standard library only."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Write:
    """An acknowledged change, in the terms of a board's stream, with times of the monotonic clock."""

    board: str
    kind: str
    subject: str
    sent: float
    acknowledged: float


@dataclass(slots=True)
class Note:
    """An idea as it must be. There are several texts or stars while the answer to a change is unknown."""

    board: str
    title: str
    etag: str
    bodies: set[str]
    stars: set[bool] = field(default_factory=lambda: {False})

    def allows(self, idea: Mapping[str, Any]) -> bool:
        is_same = (idea["board_id"], idea["title"]) == (self.board, self.title)
        return is_same and idea["body"] in self.bodies and idea["star"] in self.stars


@dataclass(slots=True)
class Ledger:
    """`ideas`, `comments` (id to idea and text) and `runs` were acknowledged. `refused` has what no good
    client expects; `overwritten` what was read back as another text than the last acknowledged one.
    """

    ideas: dict[str, Note] = field(default_factory=dict)
    comments: dict[str, tuple[str, str]] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    acknowledged: Counter[str] = field(default_factory=Counter)
    gave_up: int = 0
    refused: list[str] = field(default_factory=list)
    overwritten: list[str] = field(default_factory=list)


def missing_ideas(ledger: Ledger, stored: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Says what of the ideas is not as it was acknowledged, or is there twice."""
    by_id = {idea["id"]: idea for idea in stored}
    for idea_id, note in ledger.ideas.items():
        idea = by_id.get(idea_id)
        if idea is None:
            yield f"the idea “{note.title}” is missing"
        elif not note.allows(idea):
            yield f"the idea “{note.title}” is not as its last change left it"
    yield from _twice("idea", (str(idea["title"]) for idea in stored))


def missing_comments(ledger: Ledger, stored: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    by_id = {one["id"]: one for one in stored}
    for comment_id, (idea_id, text) in ledger.comments.items():
        found = by_id.get(comment_id)
        if found is None or (found["idea_id"], found["body"]) != (idea_id, text):
            yield f"the comment “{text}” is missing"
    yield from _twice("comment", (str(one["body"]) for one in stored))


def _twice(what: str, names: Iterable[str]) -> Iterator[str]:
    """Each writer gives a name once, so that the same name again is the same request again."""
    for name, count in Counter(names).items():
        if count > 1:
            yield f"the {what} “{name}” is there {count} times"
