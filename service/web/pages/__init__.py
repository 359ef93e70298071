"""The pages: every action is a plain form that ends in a redirect; htmx only makes it smoother."""

from fastapi import APIRouter

from service.web.pages import (
    boards,
    bulk,
    evaluating,
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

router = APIRouter(include_in_schema=False)
for _part in (
    printing,
    imports,
    *(boards, bulk, trash, history, evaluating, rubrics, rank, overview, ideas),
    *(runs, refinements, live, suggestions, preferences, model_banner),
):
    router.include_router(_part.router)

__all__ = ["router"]
