"""The routes of the pages. Every action is a plain form that ends in a redirect; htmx is optional."""

from fastapi import APIRouter

from service.web.pages import (
    boards,
    bulk,
    comments,
    doctor,
    evaluation,
    history,
    ideas,
    imports,
    live,
    models,
    overview,
    preferences,
    printing,
    problems,
    rank,
    refinements,
    rubrics,
    runs,
    suggestions,
    taste,
    trash,
)
from service.web.pages.refused import RefusedForms

router = APIRouter(include_in_schema=False)
for _part in (
    printing,
    imports,
    *(boards, bulk, trash, history, evaluation, rubrics, rank, overview, taste, ideas, comments),
    *(runs, refinements, live, suggestions, preferences, models, problems, doctor),
):
    router.include_router(_part.router)

__all__ = ["RefusedForms", "router"]
