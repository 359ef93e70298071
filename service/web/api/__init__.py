"""The routes of the REST API, version 1. They use the same store and runs as the pages."""

from fastapi import APIRouter

from service.web.api import (
    actions,
    boards,
    calibration,
    changes,
    comments,
    comparisons,
    ideas,
    inspirations,
    models,
    overview,
    refinements,
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
    rubrics,
    calibration,
    comparisons,
    changes,
    trash,
    comments,
    ideas,
    inspirations,
    models,
    overview,
    taste,
    transfer,
):
    router.include_router(part.router)
