"""The Atom feed of a board, for those who sign in and for those who have a link."""

import hashlib
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime

from fastapi import APIRouter, Request, Response, status

from service.schemas.ideas import BoardPublic
from service.store import Store
from service.store.hidden_ideas import shared_view
from service.store.listing import IdeaQuery
from service.transfer.atom import Entry, Feed, atom
from service.web import markdown
from service.web.dependencies import OriginDep, StoreDep

MEDIA_TYPE = "application/atom+xml"
NEWEST = 50
router = APIRouter()


@router.get("/boards/{board_id}/feed.atom")
def show_feed(request: Request, board_id: str, store: StoreDep, origin: OriginDep) -> Response:
    board = store.boards.get(board_id)
    return feed_response(request, store, board, f"{origin}/boards/{board_id}", f"{origin}/ideas")


def feed_response(
    request: Request, store: Store, board: BoardPublic, board_url: str, ideas_url: str
) -> Response:
    """The feed, or 304 if the reader has it. The two addresses lead to the board and its ideas."""
    with shared_view():
        page = store.ideas.page(IdeaQuery(board=board.id, archived=False, limit=NEWEST))
    updated = max([board.updated_at, *(idea.updated_at for idea in page.items)])
    feed = Feed(
        id=board.id,
        title=board.name,
        subtitle=board.goal,
        url=board_url,
        own_url=f"{board_url}/feed.atom",
        updated=updated,
        entries=[
            Entry(
                id=idea.id,
                title=idea.title,
                url=f"{ideas_url}/{idea.id}",
                html=str(markdown.render(idea.body)),
                author=idea.author.name if idea.author else None,
                tags=idea.tags,
                published=idea.created_at,
                updated=idea.updated_at,
            )
            for idea in page.items
        ],
    )
    body = atom(feed)
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {
        "ETag": tag,
        "Last-Modified": format_datetime(updated, usegmt=True),
        "Cache-Control": "private, no-cache",
    }
    if _has_it(request, tag, updated):
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(body, media_type=MEDIA_TYPE, headers=headers)


def _has_it(request: Request, tag: str, updated: datetime) -> bool:
    """The date counts only without a tag (RFC 9110): an idea that was deleted changes no date."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        return tag in tags or tags.strip() == "*"
    since = request.headers.get("if-modified-since")
    try:
        return since is not None and updated.replace(microsecond=0) <= parsedate_to_datetime(since)
    except (ValueError, TypeError):
        return False
