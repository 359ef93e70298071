"""The routes of the pages. Every action is a plain form that ends in a redirect; htmx is optional."""

from fastapi import APIRouter

from service.web.pages import (
    boards,
    bulk,
    evaluation,
    history,
    ideas,
    imports,
    live,
    model_banner,
    overview,
    preferences,
    printing,
    rank,
    refinements,
    rubrics,
    runs,
    suggestions,
    trash,
)
from service.web.pages.refused import RefusedForms

router = APIRouter(include_in_schema=False)
for _part in (
    printing,
    imports,
    *(boards, bulk, trash, history, evaluation, rubrics, rank, overview, ideas),
    *(runs, refinements, live, suggestions, preferences, model_banner),
):
    router.include_router(_part.router)

__all__ = ["RefusedForms", "router"]
