"""The pages: every action is a plain form that ends in a redirect; htmx only makes it smoother."""

from fastapi import APIRouter

from service.routes.pages import (
    boards,
    bulk,
    choices,
    ideas,
    live,
    overview,
    rank,
    refinements,
    runs,
    suggestions,
)

router = APIRouter(include_in_schema=False)
for _part in (boards, bulk, rank, overview, ideas, runs, refinements, live, suggestions, choices):
    router.include_router(_part.router)

__all__ = ["router"]
