"""The pages: every action is a plain form that ends in a redirect; htmx only makes it smoother."""

from fastapi import APIRouter

from service.routes.pages import (
    arrivals,
    boards,
    bulk,
    choices,
    evaluating,
    history,
    ideas,
    live,
    overview,
    printing,
    rank,
    refinements,
    rubrics,
    runs,
    suggestions,
)

router = APIRouter(include_in_schema=False)
for _part in (
    printing,
    arrivals,
    *(boards, bulk, history, evaluating, rubrics, rank, overview, ideas),
    *(runs, refinements, live, suggestions, choices),
):
    router.include_router(_part.router)

__all__ = ["router"]
