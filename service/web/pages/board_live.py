"""Tells the pages of a board what happens on it; news.js fetches what they show of it."""

import json
from collections.abc import AsyncGenerator

from fastapi import APIRouter, Request, Response
from fastapi.sse import format_sse_event

from service.actor import ACTOR
from service.live.happenings import Change, Happening, Here, Reset
from service.web.pages.responses import fragment
from service.web.sse import EventStream
from service.web.watching import HappeningsDep

router = APIRouter()


@router.get("/boards/{board_id}/live")
async def watch_board(request: Request, happenings: HappeningsDep) -> Response:
    return EventStream(_events(request, happenings), awaits_first=True)


async def _events(
    request: Request, happenings: AsyncGenerator[Happening, None]
) -> AsyncGenerator[bytes, None]:
    try:
        async for happening in happenings:
            yield _event(request, happening)
    finally:
        await happenings.aclose()


def _event(request: Request, happening: Happening) -> bytes:
    match happening:
        case Change():
            by = happening.person.name if happening.person else ""
            data = {"kind": happening.kind, "subject": happening.subject_id, "by": by}
            return format_sse_event(
                event="change",
                data_str=json.dumps(data, ensure_ascii=False),
                id=str(happening.number),
            )
        case Here():
            html = fragment(request, "shared/_here.html", here_context(happening))
            begins = None if happening.number is None else str(happening.number)
            return format_sse_event(event="here", data_str=html, id=begins)
        case Reset():
            return format_sse_event(event="reset", data_str="", id=str(happening.number))
        case _:
            # A comment would do for the connection, but a page does not hear comments.
            return format_sse_event(event="beat", data_str="")


def here_context(here: Here) -> dict[str, object]:
    """The context of `_here.html`."""
    return {"people": here.people, "me": ACTOR.get().person_id}
