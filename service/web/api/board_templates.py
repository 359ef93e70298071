"""Routes for the templates of boards, and for the sample board."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from service.onboarding import catalogue
from service.onboarding.boards import open_sample
from service.schemas.board_templates import BoardTemplate, SampleRequest
from service.schemas.ideas import BoardPublic
from service.web.api.idempotency import KeyedRoute
from service.web.dependencies import StoreDep
from service.web.templating import language_of

router = APIRouter(tags=["boards"], route_class=KeyedRoute)


@router.get(
    "/board-templates",
    operation_id="listBoardTemplates",
    summary="List the templates for new boards",
    description="`POST /boards` makes a board from one of them.",
)
def list_templates(
    request: Request,
    language: Annotated[
        str | None,
        Query(
            max_length=8,
            description="The language of the texts. Default: the first of `Accept-Language` that "
            "there is.",
        ),
    ] = None,
) -> list[BoardTemplate]:
    return list(catalogue.templates(language or language_of(request)))


@router.post(
    "/boards/sample",
    operation_id="openSampleBoard",
    summary="Open the sample board",
    description="Makes a board with some ideas to play with, or restores it from the trash. If it is "
    "there already, nothing is done.",
)
def open_sample_board(
    request: Request, store: StoreDep, wanted: SampleRequest | None = None
) -> BoardPublic:
    language = wanted.language if wanted is not None else None
    return open_sample(store, language or language_of(request))
