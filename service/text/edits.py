"""Splits a proposed text into single edits that can be accepted one by one. It is pure.

It knows neither the models that propose texts nor the store that keeps them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from service.errors import InvalidInput
from service.messages import Text
from service.text.diff import Edit, apply_edits, edits_between

Part = Literal["title", "body"]


class Note(NamedTuple):
    """The title and the text of an idea in one version."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class ProposedEdit:
    """`number` counts from 1 through title and body; `start` counts characters within its part."""

    number: int
    part: Part
    start: int
    removed: str
    added: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment of a proposal: unchanged text, or an edit."""

    text: str = ""
    edit: ProposedEdit | None = None


def proposed_edits(before: Note, after: Note) -> list[ProposedEdit]:
    """Returns the edits from one text to the other. A title changes as a whole, never in part."""
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
    """Returns the edits that lead from `before` to a refinement's `result`.

    If `before` is the text that the model read, these are the stored edits, so their numbers stay the
    same as in the answer.
    """
    if is_as_read and "edits" in result:
        return [ProposedEdit(**edit) for edit in result["edits"]]
    return proposed_edits(before, Note(result["title"], result["body"]))


def compose(
    before: Note, after: Note, edits: Sequence[ProposedEdit], taken: Collection[int]
) -> Note:
    """Applies the edits with the numbers `taken`; all of them together give `after`.

    Raises:
        InvalidInput: there is no edit with one of these numbers.
    """
    numbers = {edit.number for edit in edits}
    unknown = sorted(set(taken) - numbers)
    if unknown:
        missing = Text(
            "There is no edit %(number)s. The proposal has %(count)s edits, numbered from 1.",
            number=unknown[0],
            count=len(edits),
        )
        raise InvalidInput(missing, pointer="/edits")
    if numbers == set(taken):
        # Changed blanks between unchanged words belong to no edit, so only the whole text has them.
        return after
    chosen = [edit for edit in edits if edit.number in taken]
    return Note(
        after.title if any(edit.part == "title" for edit in chosen) else before.title,
        apply_edits(
            before.body,
            [Edit(one.start, one.removed, one.added) for one in chosen if one.part == "body"],
        ),
    )


def segments(before: Note, edits: Sequence[ProposedEdit]) -> list[Segment]:
    """Returns the segments of the body in order; without edits this is the old body."""
    found, at = [], 0
    for edit in edits:
        if edit.part == "body":
            found += [Segment(before.body[at : edit.start]), Segment(edit=edit)]
            at = edit.start + len(edit.removed)
    found.append(Segment(before.body[at:]))
    return [one for one in found if one.edit or one.text]
