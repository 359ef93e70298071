"""What a link shows to whoever has it: one board and its ideas, only to read.

These pages are made apart from all others, so that nothing of other boards, of runs or of the server
can be on them.
"""

from typing import Annotated, Any, Literal, cast
from urllib.parse import urlencode

import anyio.to_thread
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import BaseModel

from service.actor import ACTOR, Actor, Role
from service.errors import NotFound
from service.messages import Text
from service.schemas.ideas import BoardPublic
from service.store.hidden_ideas import show_to_everybody
from service.store.listing import IdeaQuery
from service.web.attachment_files import file_response
from service.web.dependencies import OriginDep, StoreDep
from service.web.pages.feeds import feed_response
from service.web.pages.idea_past import SHOWN_EVALUATIONS
from service.web.templating import Templates

PAGE_SIZE = 30
# Nobody finds these pages by a search, and no other site learns a link's token.
HEADERS = {
    "X-Robots-Tag": "noindex, nofollow",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-cache",
}
router = APIRouter(prefix="/shared/{token}")


class SharedQuery(BaseModel):
    sort: Literal["new", "score"] = "new"
    cursor: str | None = None


async def _board(token: str, store: StoreDep) -> BoardPublic:
    """Whoever has the link reads this board, whatever else the browser is signed in for."""
    board_id = await anyio.to_thread.run_sync(store.shared_links.board_of, token)
    ACTOR.set(Actor(board_roles={board_id: Role.READER}))
    # Not even what somebody without a name has hidden until a writing round ends.
    show_to_everybody()
    return await anyio.to_thread.run_sync(store.boards.get, board_id)


BoardDep = Annotated[BoardPublic, Depends(_board)]


@router.get("")
def show_board(
    request: Request,
    token: str,
    board: BoardDep,
    store: StoreDep,
    query: Annotated[SharedQuery, Query()],
) -> Response:
    selection = IdeaQuery(
        board=board.id,
        archived=False,
        sort=query.sort,
        cursor=query.cursor or None,
        limit=PAGE_SIZE,
    )
    page = store.ideas.page(selection)
    fields = {"sort": query.sort, "cursor": page.cursor}
    context = {
        "board": board,
        "ideas": page.items,
        "count": store.ideas.count(selection),
        "query": query,
        "more": f"/shared/{token}?{urlencode(fields)}" if page.cursor else None,
    }
    return _render(request, "links/board.html", token, context)


@router.get("/ideas/{idea_id}")
def show_idea(
    request: Request, token: str, idea_id: str, board: BoardDep, store: StoreDep
) -> Response:
    found = store.ideas.page(IdeaQuery(board=board.id, ids=[idea_id], archived=False)).items
    if not found:
        raise NotFound(Text("This idea is not on the board any more."))
    files = store.attachments.page(idea_id).items
    evaluations = store.evaluations.of_idea(idea_id, limit=SHOWN_EVALUATIONS)
    newest = evaluations[0] if evaluations else None
    context = {
        "board": board,
        "idea": found[0],
        "files": files,
        "evaluation": newest,
        "rubric": store.rubrics.name(newest.rubric_id) if newest and newest.rubric_id else None,
        "evaluation_is_shown": True,
        "can_be_calibrated": False,
        "earlier": evaluations[1:],
    }
    return _render(request, "links/idea.html", token, context)


@router.get("/attachments/{attachment_id}/content")
def show_file(
    attachment_id: str,
    board: BoardDep,
    store: StoreDep,
    if_none_match: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    file, content = store.attachments.content(attachment_id)
    if not store.ideas.page(IdeaQuery(board=board.id, ids=[file.idea_id], archived=False)).items:
        raise NotFound(Text("This idea is not on the board any more."))
    response = file_response(file, content, if_none_match)
    # A link can be withdrawn, so browsers ask each time.
    response.headers.update(HEADERS)
    return response


@router.get("/feed.atom")
def show_feed(
    request: Request, token: str, board: BoardDep, store: StoreDep, origin: OriginDep
) -> Response:
    here = f"{origin}/shared/{token}"
    response = feed_response(request, store, board, here, f"{here}/ideas")
    response.headers.update(HEADERS)
    return response


def _render(request: Request, template: str, token: str, context: dict[str, Any]) -> Response:
    templates = cast(Templates, request.app.state.templates)
    return templates.respond(
        request, template, {**context, "here": f"/shared/{token}"}, headers=HEADERS
    )
