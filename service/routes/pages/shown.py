"""The list of a board's ideas as an address asks for it, whole or after some of them changed."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from fastapi import Request
from pydantic import ValidationError

from service.routes.pages.forms import BoardQuery
from service.shapes import BoardPublic
from service.standings import rank_order
from service.store import Store
from service.store.listing import IdeaQuery

PAGE_SIZE = 30


def list_context(store: Store, board: BoardPublic, query: BoardQuery) -> dict[str, Any]:
    """What `_list.html` and `_bulk_bar.html` show."""
    asked = asked_ideas(store, board.id, query)
    page = store.ideas.page(asked)
    return {
        "board": board,
        "boards": store.boards.all(),
        "query": query,
        "page": page,
        "count": store.ideas.count(asked),
        "more": address(board.id, query, cursor=page.cursor) if page.cursor else None,
        "here": address(board.id, query, cursor=query.cursor),
        "here_selected": address(board.id, query, cursor=query.cursor, select="shown"),
        "is_picked": query.select == "shown",
    }


def changed_context(
    store: Store, board: BoardPublic, query: BoardQuery, changed: Sequence[str]
) -> dict[str, Any]:
    """That, and which of the changed ideas are still on the list and which have left it."""
    context = list_context(store, board, query) | {"is_picked": False}
    shown = store.ideas.among(asked_ideas(store, board.id, query), changed)
    still = {idea.id for idea in shown}
    return context | {"shown": shown, "gone": [one for one in changed if one not in still]}


def asked_ideas(store: Store, board_id: str, query: BoardQuery) -> IdeaQuery:
    return IdeaQuery(
        board=board_id,
        q=query.q,
        tag=query.tag,
        status=query.status,
        star=query.star or None,
        sort=query.sort or "new",
        cursor=query.cursor or None,
        limit=PAGE_SIZE,
        ranked=rank_order(store, board_id) if query.sort == "rank" else {},
    )


def address(board_id: str, query: BoardQuery, **more: str | None) -> str:
    """The board's address with what it is narrowed to and sorted by."""
    fields = query.model_dump(exclude_defaults=True, exclude={"cursor", "run", "select"})
    fields |= {name: value for name, value in more.items() if value}
    return f"/boards/{board_id}" + (f"?{urlencode(fields, doseq=True)}" if fields else "")


def current_query(request: Request) -> BoardQuery:
    """What the page asks for on which the reader is just now, as htmx tells it."""
    parts = urlsplit(request.headers.get("HX-Current-URL", ""))
    fields = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    try:
        return BoardQuery.model_validate(fields).model_copy(update={"cursor": None})
    except ValidationError:
        return BoardQuery()
