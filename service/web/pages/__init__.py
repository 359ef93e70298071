"""The routes of the pages. Every action is a plain form that ends in a redirect; htmx is optional."""

from fastapi import APIRouter, Depends

from service.web.pages import (
    board_live,
    boards,
    bulk,
    comments,
    doctor,
    evaluation,
    feeds,
    history,
    ideas,
    imports,
    joining,
    live,
    me,
    models,
    overview,
    palette,
    people,
    preferences,
    printing,
    problems,
    rank,
    refinements,
    rounds,
    rubrics,
    runs,
    shared_boards,
    shared_links,
    suggestions,
    taste,
    trash,
    webhooks,
)
from service.web.pages.refused import RefusedForms
from service.web.pages.responses import note_newest

router = APIRouter(include_in_schema=False, dependencies=[Depends(note_newest)])
for _part in (
    printing,
    imports,
    *(boards, bulk, trash, history, evaluation, rubrics, rank, overview, rounds, taste, ideas),
    *(comments, runs, refinements, live, board_live, suggestions, preferences, models, problems),
    *(doctor, joining, me, people),
    *(shared_links, shared_boards, feeds, webhooks, palette),
):
    router.include_router(_part.router)

__all__ = ["RefusedForms", "router"]
