"""A proposed text as single edits, each of which can be taken or left; pure.

Knows neither the models that propose nor the store that keeps what is taken.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from service.errors import InvalidInput
from service.messages import Text
from service.text.diff import Edit, applied, edits_between

Part = Literal["title", "body"]


class Note(NamedTuple):
    """What an idea says in one version of it."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class ProposedEdit:
    """`number` counts from 1 through title and body; `start` counts characters of its part."""

    number: int
    part: Part
    start: int
    removed: str
    added: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a proposal: text that stays, or an edit."""

    text: str = ""
    edit: ProposedEdit | None = None


def proposed_edits(before: Note, after: Note) -> list[ProposedEdit]:
    """A title changes as a whole: half of one and half of another make no title."""
    found: list[tuple[Part, Edit]] = []
    if before.title != after.title:
        found.append(("title", Edit(0, before.title, after.title)))
    found += [("body", edit) for edit in edits_between(before.body, after.body)]
    return [
        ProposedEdit(number, part, edit.start, edit.removed, edit.added)
        for number, (part, edit) in enumerate(found, start=1)
    ]


def edits_of(
    result: Mapping[str, Any], before: Note, *, is_as_read: bool
) -> Sequence[ProposedEdit]:
    """The edits of a refinement's `result`. Of the text that the model read they are as they were
    told to whoever asked, so that their numbers stay what they are.
    """
    if is_as_read and "edits" in result:
        return [ProposedEdit(**edit) for edit in result["edits"]]
    return proposed_edits(before, Note(result["title"], result["body"]))


def compose(
    before: Note, after: Note, edits: Sequence[ProposedEdit], taken: Collection[int]
) -> Note:
    """`before` with the edits whose numbers are taken; with all of them it is `after`.

    Raises:
        InvalidInput: a number is taken that no edit has.
    """
    numbers = {edit.number for edit in edits}
    unknown = sorted(set(taken) - numbers)
    if unknown:
        missing = Text(
            "There is no edit %(number)s. The proposal has %(count)s, counted from 1.",
            number=unknown[0],
            count=len(edits),
        )
        raise InvalidInput(missing, pointer="/edits")
    if numbers == set(taken):
        # Blanks between words that stay belong to no edit: they come with the whole.
        return after
    chosen = [edit for edit in edits if edit.number in taken]
    return Note(
        after.title if any(edit.part == "title" for edit in chosen) else before.title,
        applied(
            before.body,
            [Edit(one.start, one.removed, one.added) for one in chosen if one.part == "body"],
        ),
    )


def segments(before: Note, edits: Sequence[ProposedEdit]) -> list[Segment]:
    """The body's stretches in their order; without edits they are the body before."""
    found, at = [], 0
    for edit in edits:
        if edit.part == "body":
            found += [Segment(before.body[at : edit.start]), Segment(edit=edit)]
            at = edit.start + len(edit.removed)
    found.append(Segment(before.body[at:]))
    return [one for one in found if one.edit or one.text]
