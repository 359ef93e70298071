"""Routes for the trash of a board: restore ideas, or delete them for good."""

import math
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response, status
from pydantic import BaseModel, Field

from service.errors import NotFound
from service.messages import Counted, Text
from service.schemas.bulk import Restore
from service.schemas.identity import now
from service.store import Store
from service.store.listing import IdeaQuery
from service.store.trash import Emptied
from service.web.dependencies import SettingsDep, StoreDep
from service.web.pages.confirmation import SHOWN_TITLES, Confirmation, confirmation_page
from service.web.pages.forms import SelectedIdeas
from service.web.pages.responses import Flash, redirect, render

PAGE_SIZE = 30
router = APIRouter()


class TrashQuery(BaseModel):
    q: Annotated[str, Field(max_length=200)] = ""
    cursor: str | None = None
    select: Literal["shown"] | None = None


class TrashForm(SelectedIdeas):
    """The selected ideas, or with `all` every idea that was deleted before `until`."""

    all: bool = False
    until: datetime | None = None


@router.get("/boards/{board_id}/trash")
def show_trash(
    request: Request,
    board_id: str,
    store: StoreDep,
    settings: SettingsDep,
    query: Annotated[TrashQuery, Query()],
) -> Response:
    selection = IdeaQuery(
        board=board_id,
        deleted=True,
        q=query.q,
        sort="updated",
        cursor=query.cursor or None,
        limit=PAGE_SIZE,
    )
    with store.one_view():
        board, count = store.boards.get(board_id), store.trash.count(board_id)
        page = store.ideas.page(selection)
        found = store.ideas.count(selection) if query.q.strip() else count
    context = {
        "board": board,
        "query": query,
        "rows": [(idea, days_left(idea.deleted_at, settings.trash_days)) for idea in page.items],
        "count": count,
        "found": found,
        "days": settings.trash_days,
        "more": _address(board_id, q=query.q, cursor=page.cursor) if page.cursor else None,
        "here": _address(board_id, q=query.q, cursor=query.cursor),
        "here_selected": _address(board_id, q=query.q, cursor=query.cursor, select="shown"),
    }
    return render(request, "boards/trash.html", context, board_id=board_id)


@router.post("/boards/{board_id}/trash/restore")
def restore_ideas(board_id: str, store: StoreDep, form: Annotated[TrashForm, Form()]) -> Response:
    if form.all:
        change = store.changes.restore_all(board_id)
    else:
        change = store.changes.make(Restore(operation="restore", ids=form.ids))
    restored = Counted(
        "%(count)s idea is back on the board.",
        "%(count)s ideas are back on the board.",
        len(change.changed),
    )
    return redirect(_next_address(store, board_id), Flash(restored, f"/changes/{change.id}/undo"))


@router.get("/boards/{board_id}/trash/delete")
def ask_before_deletion(
    request: Request, board_id: str, store: StoreDep, query: Annotated[TrashForm, Query()]
) -> Response:
    ids = None if query.all else query.ids
    selection = IdeaQuery(board=board_id, deleted=True, ids=ids, sort="updated", limit=SHOWN_TITLES)
    count = store.ideas.count(selection)
    if not count:
        return redirect(f"/boards/{board_id}/trash")
    titles = [idea.title for idea in store.ideas.page(selection).items]
    # Ideas that others delete in the meantime must stay in the trash.
    every = [("all", "true"), ("until", now().isoformat())]
    question = Confirmation(
        title=Counted("Delete this idea for good?", "Delete %(count)s ideas for good?", count),
        detail=Counted(
            "Its versions, evaluations and comparisons are deleted too. You cannot undo this.",
            "Their versions, evaluations and comparisons are deleted too. You cannot undo this.",
            count,
        ),
        button=Text("Delete for good"),
        action=f"/boards/{board_id}/trash/delete",
        cancel=f"/boards/{board_id}/trash",
        fields=every if ids is None else [("idea", idea_id) for idea_id in ids],
        titles=titles,
        more=count - len(titles),
    )
    return confirmation_page(request, question, board_id=board_id)


@router.post("/boards/{board_id}/trash/delete")
def delete_for_good(board_id: str, store: StoreDep, form: Annotated[TrashForm, Form()]) -> Response:
    if form.all:
        emptied = store.trash.empty(board_id, until=form.until)
    else:
        emptied = store.trash.purge_ideas(board_id, form.ids)
    return redirect(_next_address(store, board_id), Flash(_emptied_summary(emptied)))


def ask_to_restore(request: Request, store: Store, idea_id: str) -> Response:
    """The page of an idea that is in the trash, which offers to restore it.

    Raises:
        NotFound: the idea is not in the trash.
    """
    found = store.ideas.page(IdeaQuery(deleted=True, ids=[idea_id])).items
    if not found:
        raise NotFound(Text("The idea %(idea_id)s does not exist or was deleted.", idea_id=idea_id))
    idea = found[0]
    question = Confirmation(
        title=Text("“%(title)s” is in the trash", title=idea.title),
        detail=Text("Restore it to read it or to work on it."),
        button=Text("Restore"),
        action=f"/ideas/{idea_id}/restore",
        cancel=f"/boards/{idea.board_id}/trash",
        is_destructive=False,
    )
    not_here = status.HTTP_404_NOT_FOUND
    return confirmation_page(request, question, board_id=idea.board_id, status_code=not_here)


def days_left(deleted_at: datetime | None, days: int) -> int | None:
    """Days until it is deleted for good, at least 1; None if it never is."""
    if deleted_at is None or not days:
        return None
    return max(1, math.ceil((deleted_at + timedelta(days=days) - now()) / timedelta(days=1)))


def _emptied_summary(emptied: Emptied) -> str:
    deleted = Counted(
        "Deleted %(count)s idea for good.", "Deleted %(count)s ideas for good.", emptied.ideas
    )
    if not emptied.in_use:
        return deleted
    stays = Counted(
        "%(count)s idea stays, because the model is working on it.",
        "%(count)s ideas stay, because the model is working on them.",
        emptied.in_use,
    )
    return Text("%(deleted)s %(stays)s", deleted=deleted, stays=stays)


def _next_address(store: Store, board_id: str) -> str:
    """The trash, or the board if the trash is empty now."""
    return f"/boards/{board_id}" + ("/trash" if store.trash.count(board_id) else "")


def _address(board_id: str, **fields: Any) -> str:
    given = {name: value for name, value in fields.items() if value}
    return f"/boards/{board_id}/trash" + (f"?{urlencode(given)}" if given else "")
