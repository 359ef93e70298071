"""The route that finds ideas of the bank, without a model and without a run."""

from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query

from service.ideation.inspirations import MOST_INSPIRATIONS, NEAR_TOPIC
from service.prompts.languages import AS_WRITTEN, IdeaLanguage
from service.schemas.brainstorm import InspirationPublic, InspirationsPublic
from service.schemas.fields import Topic
from service.web.api.shared import problems
from service.web.dependencies import InspirationsDep, StoreDep

router = APIRouter(tags=["suggestions"])


@router.get(
    "/inspirations",
    operation_id="listInspirations",
    summary="List ideas of the bank and of your boards that were written for topics like this one",
    description="Answers at once and without a model. Nothing is stored. The bank is in English, "
    "its topics in Swedish and German too; where no near topic is known, the list is empty.",
    responses=problems(503),
)
def list_inspirations(
    topic: Annotated[Topic, Query(examples=["helping children eat more vegetables"])],
    inspirations: InspirationsDep,
    store: StoreDep,
    n: Annotated[int, Query(ge=1, le=20)] = MOST_INSPIRATIONS,
    language: IdeaLanguage = AS_WRITTEN,
) -> InspirationsPublic:
    store.limits.check(topic=topic)
    found = [
        InspirationPublic(
            title=idea.title,
            text=idea.text,
            written_for=idea.written_for,
            likeness=round(idea.likeness, 3),
            origin=idea.origin,
            copied_from=idea.copied_from,
        )
        for idea in islice(inspirations.find(topic, language), n)
    ]
    return InspirationsPublic(topic=topic, threshold=NEAR_TOPIC, inspirations=found)
