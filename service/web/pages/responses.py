"""Responses of pages: whole pages, fragments, redirects, and messages for the next page."""

import asyncio
import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import Request, Response, status
from fastapi.responses import RedirectResponse

from service.actor import ACTOR, acting_person_id
from service.engine.backend import Backend
from service.live.feeds import BoardFeeds
from service.live.happenings import Here
from service.messages import pack, unpack
from service.schemas.ideas import BoardPublic
from service.settings import Settings
from service.store import Store
from service.store.moments import Moment
from service.web.abilities import (
    Ability,
    AbilityState,
    AnsweringModel,
    abilities,
    answering_model,
    fetched_share,
)
from service.web.addresses import Addresses
from service.web.errors import KEEP_ADDRESS
from service.web.templating import Templates

FLASH_COOKIE = "ideapool_flash"
FLASH_LIFE_S = 120
_NO_MOMENT = Moment()
# A cookie can be forged, so only these addresses may be offered to undo something.
_UNDO = re.compile(
    r"/(people|ideas|boards|rubrics|suggestions|changes|comments|attachments)/[0-9a-f-]{36}/(restore|reopen|undo)"
    r"|/runs/[0-9a-f-]{36}/reopen/\d{1,9}"
)


@dataclass(frozen=True, slots=True)
class Flash:
    """A message for the next page; `undo` is the address of the form that undoes the action."""

    text: str
    undo: str = ""


@dataclass(frozen=True, slots=True)
class Shell:
    """What every page shows around its own content.

    `newest` is the number of the last activity that the page may show already; `me` is the reader.
    """

    boards: list[BoardPublic]
    counts: dict[str, int]
    board_id: str | None
    flash: Flash | None
    has_login: bool
    has_doctor: bool
    can: dict[Ability, AbilityState]
    fetched: float | None
    model: AnsweringModel | None
    newest: int
    here: Here
    me: str | None
    shows_people: bool
    my_name: str


def render(
    request: Request,
    template: str,
    context: dict[str, Any],
    *,
    board_id: str | None = None,
    status_code: int = 200,
) -> Response:
    """Renders a whole page, with the message of the last action. The message is shown once."""
    store = cast(Store, request.app.state.store)
    settings = cast(Settings, request.app.state.settings)
    with store.one_view():
        boards, counts = store.boards.all(), store.boards.counts()
        shows_people = settings.needs_key or store.people.any()
    shell = Shell(
        boards=boards,
        counts=counts,
        board_id=board_id,
        flash=_read_flash(request),
        has_login=settings.needs_key,
        has_doctor=settings.shows_itself,
        newest=moment_of(request).newest,
        me=acting_person_id(),
        shows_people=shows_people,
        my_name=ACTOR.get().name,
        **surroundings(request, board_id),
    )
    templates = cast(Templates, request.app.state.templates)
    # A page that responds to a form shows the address of the page with the form.
    address = current_address(request, request.url.path) if request.method == "POST" else ""
    response = templates.respond(
        request,
        template,
        {**context, "shell": shell, "address": address},
        status_code=status_code,
        headers=KEEP_ADDRESS if status_code >= 400 else None,
    )
    # Pages hold people's own ideas and change with every action.
    response.headers["Cache-Control"] = "private, no-cache"
    if shell.flash is not None:
        response.delete_cookie(FLASH_COOKIE)
    return response


def surroundings(request: Request, board_id: str | None) -> dict[str, Any]:
    """What the shell of a page shows of the moment: all that is neither stored nor of whoever acts."""
    backend = cast(Backend, request.app.state.backend)
    return {
        "can": abilities(backend),
        "fetched": fetched_share(backend),
        "model": answering_model(backend),
        "here": cast(BoardFeeds, request.app.state.feeds).here(board_id or ""),
    }


def fragment(request: Request, template: str, context: dict[str, Any]) -> str:
    templates = cast(Templates, request.app.state.templates)
    return templates.render(request, template, context)


def redirect(url: str, flash: Flash | None = None) -> Response:
    response = RedirectResponse(url, status.HTTP_303_SEE_OTHER)
    if flash is not None:
        packed = base64.urlsafe_b64encode(
            json.dumps([pack(flash.text), flash.undo]).encode()
        ).decode()
        response.set_cookie(
            FLASH_COOKIE, packed, max_age=FLASH_LIFE_S, httponly=True, samesite="lax"
        )
    return response


def redirect_back(request: Request, default: str, flash: Flash | None = None) -> Response:
    """Redirects to the page with the form, with its search and filters."""
    return redirect(current_address(request, default), flash)


def current_address(request: Request, default: str) -> str:
    """The address of the page that sent the request, if it is one of ours."""
    url = request.headers.get("HX-Current-URL") or request.headers.get("referer") or ""
    parts = urlsplit(url)
    if parts.netloc != request.headers.get("host") or not re.match(r"/(?!/)", parts.path):
        return default
    # Without scripts, a refused form leaves the address that it was sent to in the address bar.
    page = cast(Addresses, request.app.state.addresses).page(parts.path)
    if page != parts.path:
        return page
    # The action is done, so the selection is dropped.
    fields = [field for field in parse_qsl(parts.query) if field[0] != "select"]
    return page + (f"?{urlencode(fields)}" if fields else "")


def targets_element(request: Request, element_id: str) -> bool:
    """Whether htmx will replace only this element."""
    return request.headers.get("HX-Target", "").endswith(f"#{element_id}")


async def note_moment(request: Request) -> None:
    """Notes the moment before a page is read, so that the page hears of all that comes later."""
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        store = cast(Store, request.app.state.store)
        request.state.moment = await asyncio.to_thread(store.moments.now)


def moment_of(request: Request) -> Moment:
    return getattr(request.state, "moment", _NO_MOMENT)


def has_flash(request: Request) -> bool:
    """Whether the page would show the message of the last action, and that only once."""
    # A page that fetches news of its board must not take a message from the page that it is for.
    return "X-Live" not in request.headers and bool(request.cookies.get(FLASH_COOKIE))


def _read_flash(request: Request) -> Flash | None:
    if not has_flash(request):
        return None
    try:
        text, undo = json.loads(base64.urlsafe_b64decode(request.cookies[FLASH_COOKIE]))
        flash = Flash(unpack(text), str(undo))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        return None
    return flash if not flash.undo or _UNDO.fullmatch(flash.undo) else Flash(flash.text)
