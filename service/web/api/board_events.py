"""The route that streams what happens on a board."""

from collections.abc import AsyncGenerator

from fastapi import APIRouter, Response
from fastapi.sse import format_sse_event

from service.live.happenings import Change, Happening, Here, Reset
from service.schemas.board_events import ChangeEvent, HereEvent
from service.web.api.shared import problems
from service.web.sse import EventStream
from service.web.watching import HappeningsDep

router = APIRouter(prefix="/boards", tags=["boards"])


@router.get(
    "/{board_id}/events",
    operation_id="watchBoard",
    summary="Watch what happens on a board",
    description="A stream without an end. `change` says that an idea, a run, a comparison, a rubric or "
    "the board was created, changed or deleted: `number`, `kind`, `subject_id`, `person` and `at`. Read "
    "the subject to learn how. `here` has the `people` at the board, at first and when they change. "
    "`reset` says that what you missed is not kept: read the board again. Send `Last-Event-ID` or "
    "`after` to get what happened since that `change`. The stream ends when the server stops, when you "
    "read too slowly, and when you may not read the board any more.",
    response_class=Response,
    responses=problems(404, 503) | {200: {"content": {"text/event-stream": {}}}},
)
async def watch_board(happenings: HappeningsDep) -> Response:
    return EventStream(_events(happenings), awaits_first=True)


async def _events(happenings: AsyncGenerator[Happening, None]) -> AsyncGenerator[bytes, None]:
    try:
        async for happening in happenings:
            event = _event(happening)
            if event:
                yield event
    finally:
        await happenings.aclose()


def _event(happening: Happening) -> bytes:
    """Nothing for a quiet time: the heartbeat of the stream is enough for programs."""
    match happening:
        case Change(number, kind, subject_id, person, at):
            told = ChangeEvent(
                number=number, kind=kind, subject_id=subject_id, person=person, at=at
            )
            return format_sse_event(event="change", data_str=told.model_dump_json(), id=str(number))
        case Here(people, begins):
            here = HereEvent(people=list(people)).model_dump_json()
            return format_sse_event(event="here", data_str=here, id=_id(begins))
        case Reset(number):
            return format_sse_event(event="reset", data_str="{}", id=str(number))
        case _:
            return b""


def _id(number: int | None) -> str | None:
    return None if number is None else str(number)
