"""The routes of the pages. Every action is a plain form that ends in a redirect; htmx is optional."""

from fastapi import APIRouter, Depends

from service.web.pages import (
    about,
    attachments,
    board_live,
    boards,
    bulk,
    comments,
    doctor,
    evaluation,
    feeds,
    help,
    history,
    idea_map,
    idea_texts,
    ideas,
    imports,
    joining,
    live,
    me,
    models,
    new_board,
    overview,
    palette,
    people,
    places,
    preferences,
    printing,
    problems,
    rank,
    refinements,
    rounds,
    rubrics,
    runs,
    score_help,
    shared_boards,
    shared_links,
    suggestions,
    taste,
    trash,
    webhooks,
)
from service.web.pages.refused import RefusedForms
from service.web.pages.responses import note_moment

router = APIRouter(include_in_schema=False, dependencies=[Depends(note_moment)])
for _part in (
    printing,
    imports,
    # Its addresses look like those of boards.
    new_board,
    *(boards, bulk, trash, history, evaluation, rubrics, rank, overview, rounds, taste, ideas),
    *(idea_map, idea_texts, attachments, places),
    *(comments, runs, refinements, live, board_live, suggestions, preferences, models, problems),
    *(help, about, doctor, score_help, joining, me, people),
    *(shared_links, shared_boards, feeds, webhooks, palette),
):
    router.include_router(_part.router)

__all__ = ["RefusedForms", "router"]
