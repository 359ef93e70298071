"""The list of a board's runs, newest first."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from service.store.run_listing import RunQuery
from service.web.dependencies import StoreDep
from service.web.pages.brainstorm_forms import RunsQuery
from service.web.pages.responses import render
from service.web.pages.run_kinds import SHOWN_KINDS
from service.web.pages.topics import topics
from service.web.pages.views import RUN_STATUS_NAMES

PAGE_SIZE = 30
router = APIRouter()


@router.get("/boards/{board_id}/runs")
def show_runs(
    request: Request, board_id: str, store: StoreDep, query: Annotated[RunsQuery, Query()]
) -> Response:
    board = store.boards.get(board_id)
    page = store.runs.page(
        RunQuery(
            board_id=board_id,
            kind=query.kind,
            status=query.status,
            cursor=query.cursor or None,
            limit=PAGE_SIZE,
        )
    )
    context = {
        "board": board,
        "query": query,
        "runs": page.items,
        "topics": topics(store, page.items),
        "kinds": {kind: shown.name for kind, shown in SHOWN_KINDS.items()},
        "words": RUN_STATUS_NAMES,
        "more": _address(board_id, query, page.cursor) if page.cursor else None,
    }
    return render(request, "runs/runs.html", context, board_id=board_id)


def _address(board_id: str, query: RunsQuery, cursor: str) -> str:
    fields = query.model_dump(exclude_none=True) | {"cursor": cursor}
    return f"/boards/{board_id}/runs?{urlencode(fields)}"
