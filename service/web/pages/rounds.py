"""The pages of writing rounds: start one, write in it, and read all ideas together when it is over."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from service.actor import ACTOR
from service.messages import Text
from service.schemas.ideas import BoardUpdate, IdeaCreate
from service.schemas.identity import now
from service.schemas.rounds import DEFAULT_MINUTES, MOST_MINUTES, RoundCreate
from service.store.cursors import PageOf
from service.web.dependencies import SettingsDep, StoreDep
from service.web.pages.forms import ExtendForm, IdeaForm, PeopleFirstForm, RoundForm
from service.web.pages.idempotency import OnceDep
from service.web.pages.responses import Flash, redirect, render

SHOWN_ROUNDS = 50
router = APIRouter(prefix="/boards/{board_id}")


@router.get("/rounds")
def show_rounds(
    request: Request, board_id: str, store: StoreDep, settings: SettingsDep
) -> Response:
    context = {
        "board": store.boards.get(board_id),
        "open_round": store.rounds.open_on(board_id),
        "rounds": store.rounds.page(board_id, PageOf(SHOWN_ROUNDS)).items,
        "minutes": DEFAULT_MINUTES,
        "most": MOST_MINUTES,
        "has_people": settings.needs_key or ACTOR.get().person_id is not None,
    }
    return render(request, "rounds/rounds.html", context, board_id=board_id)


@router.post("/rounds")
def start(board_id: str, store: StoreDep, form: Annotated[RoundForm, Form()]) -> Response:
    started = store.rounds.start(board_id, RoundCreate(**form.model_dump()))
    return redirect(_address(board_id, started.id))


@router.post("/people-first")
def switch(board_id: str, store: StoreDep, form: Annotated[PeopleFirstForm, Form()]) -> Response:
    store.boards.update(board_id, BoardUpdate(people_first=form.people_first))
    notice = (
        Text("People write first on this board.")
        if form.people_first
        else Text("The model can be asked at any time.")
    )
    return redirect(f"/boards/{board_id}/rounds", Flash(notice))


@router.get("/rounds/{round_id}")
def show_round(
    request: Request, board_id: str, round_id: str, store: StoreDep, settings: SettingsDep
) -> Response:
    context = {
        "board": store.boards.get(board_id),
        "round": store.rounds.get(board_id, round_id),
        "ideas": store.rounds.ideas(board_id, round_id),
        "moment": now(),
        "has_people": settings.needs_key or ACTOR.get().person_id is not None,
    }
    return render(request, "rounds/round.html", context, board_id=board_id)


@router.post("/rounds/{round_id}/ideas")
async def write(
    board_id: str,
    round_id: str,
    store: StoreDep,
    once: OnceDep,
    form: Annotated[IdeaForm, Form()],
) -> Response:
    shape = IdeaCreate(
        board_id=board_id, round_id=round_id, title=form.title, body=form.body, tags=form.tags
    )

    async def create() -> str:
        made = await asyncio.to_thread(store.ideas.create, shape)
        return f"{'' if made.round_id else 'late'}:{made.title}"

    person = ACTOR.get().person_id
    came_late, _, title = (await once.do(f"{person} {shape!r}", create)).partition(":")
    said = (
        Text("The round is over, so “%(title)s” is on the board as usual.", title=title)
        if came_late
        else Text("Added “%(title)s”.", title=title)
    )
    return redirect(_address(board_id, round_id), Flash(said))


@router.post("/rounds/{round_id}/end")
def end(board_id: str, round_id: str, store: StoreDep) -> Response:
    store.rounds.end(board_id, round_id)
    return redirect(_address(board_id, round_id))


@router.post("/rounds/{round_id}/extend")
def extend(
    board_id: str, round_id: str, store: StoreDep, form: Annotated[ExtendForm, Form()]
) -> Response:
    store.rounds.extend(board_id, round_id, form.minutes)
    return redirect(_address(board_id, round_id))


@router.post("/rounds/{round_id}/names")
def show_names(board_id: str, round_id: str, store: StoreDep) -> Response:
    store.rounds.show_names(board_id, round_id)
    notice = Flash(Text("Everybody can see who wrote what."))
    return redirect(_address(board_id, round_id), notice)


def _address(board_id: str, round_id: str) -> str:
    return f"/boards/{board_id}/rounds/{round_id}"
