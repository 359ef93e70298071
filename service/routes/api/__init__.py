"""The REST API, version 1: JSON over the same store and runs that the pages use."""

from fastapi import APIRouter

from service.routes.api import actions, boards, ideas, runs, transfer

router = APIRouter(prefix="/api/v1")
for part in (actions.router, runs.router, boards.router, ideas.router, transfer.router):
    router.include_router(part)
