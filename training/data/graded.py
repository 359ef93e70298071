"""Drafts for one prompt with a reader's grades, as rows for learning preferences."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from training.data.rows import name_of
from training.data.tasks import BrainstormRecord, Idea, NonEmptyText, Origin, Rendered, render
from training.data.texts import normal


class GradedDraft(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    title: NonEmptyText
    text: NonEmptyText
    grade: float


class GradedDrafts(BaseModel):
    """The drafts for one topic under one angle. A higher grade is better."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: NonEmptyText
    method: str = "free"
    topic: NonEmptyText
    context: str = ""
    angle: NonEmptyText
    hint: str = ""
    drafts: Annotated[tuple[GradedDraft, ...], Field(min_length=1)]
    source: str | None = None


def graded_rows(drafts: GradedDrafts, path: Path, licence: str) -> Iterator[Rendered]:
    """Drafts for one topic stay in one split, whatever their angle."""
    record = BrainstormRecord(
        id=drafts.id,
        task="brainstorm",
        method=drafts.method,
        topic=drafts.topic,
        context=drafts.context,
        ideas=tuple(
            Idea(angle=drafts.angle, hint=drafts.hint, title=one.title, text=one.text)
            for one in drafts.drafts
        ),
    )
    name = name_of(path)
    source = f"{name}:{drafts.source}" if drafts.source else name
    origin = Origin(source, licence, normal(drafts.topic))
    rows = render(record, f"{path.parent.name}/{path.stem}/{drafts.id}", origin)
    for rendered, one in zip(rows, drafts.drafts, strict=True):
        yield replace(rendered, row=replace(rendered.row, grade=one.grade))


def best_places(prompts: Sequence[Hashable], grades: Sequence[float | None]) -> list[int]:
    """The positions of all ungraded answers and of the best graded one of each prompt.

    Of equally good answers, the first one counts.
    """
    best: dict[Hashable, tuple[float, int]] = {}
    ungraded = []
    for place, (prompt, grade) in enumerate(zip(prompts, grades, strict=True)):
        if grade is None:
            ungraded.append(place)
        elif prompt not in best or grade > best[prompt][0]:
            best[prompt] = (grade, place)
    return sorted([*ungraded, *(place for _, place in best.values())])
