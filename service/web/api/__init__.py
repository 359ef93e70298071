"""The routes of the REST API, version 1. They use the same store and runs as the pages."""

from fastapi import APIRouter

from service.web.api import (
    actions,
    boards,
    changes,
    comparisons,
    ideas,
    inspirations,
    overview,
    refinements,
    rubrics,
    runs,
    suggestions,
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
    comparisons,
    changes,
    trash,
    ideas,
    inspirations,
    overview,
    transfer,
):
    router.include_router(part.router)
