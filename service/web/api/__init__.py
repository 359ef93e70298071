"""The routes of the REST API, version 1. They use the same store and runs as the pages."""

from fastapi import APIRouter

from service.web.api import (
    actions,
    board_events,
    boards,
    calibration,
    changes,
    comments,
    comparisons,
    ideas,
    inspirations,
    likeness,
    me,
    models,
    overview,
    people,
    refinements,
    rounds,
    rubrics,
    runs,
    suggestions,
    taste,
    transfer,
    trash,
)

router = APIRouter(prefix="/api/v1")
for part in (
    actions,
    runs,
    suggestions,
    refinements,
    boards,
    board_events,
    rounds,
    rubrics,
    calibration,
    comparisons,
    changes,
    trash,
    comments,
    ideas,
    inspirations,
    likeness,
    models,
    overview,
    taste,
    transfer,
    people,
    me,
):
    router.include_router(part.router)
