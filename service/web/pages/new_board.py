"""The page for a new board: empty, from a template, or the sample."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from service.messages import Text
from service.onboarding import catalogue
from service.onboarding.boards import from_template, open_sample
from service.prompts.methods import METHODS
from service.schemas.board_templates import NewBoard
from service.web.dependencies import StoreDep
from service.web.pages.forms import OptionalId, TemplateForm
from service.web.pages.responses import Flash, redirect, render
from service.web.templating import language_of

router = APIRouter(prefix="/boards")


@router.get("/new")
def show_choice(
    request: Request, in_place_of: Annotated[OptionalId, Query(max_length=64)] = None
) -> Response:
    context = {
        "templates": catalogue.templates(language_of(request)),
        "methods": METHODS,
        "in_place_of": in_place_of or "",
    }
    return render(request, "boards/new.html", context)


@router.get("/from-template")
@router.get("/sample")
def choose_first() -> Response:
    """Without scripts, a refused form leaves its own address in the bar."""
    return redirect("/boards/new")


@router.post("/from-template")
def create_from_template(
    request: Request, store: StoreDep, form: Annotated[TemplateForm, Form()]
) -> Response:
    wanted = NewBoard(template=form.template)
    board = from_template(store, wanted, language_of(request), in_place_of=form.in_place_of)
    ready = Text("The board “%(name)s” is ready.", name=board.name)
    return redirect(f"/boards/{board.id}", Flash(ready))


@router.post("/sample")
def show_sample(request: Request, store: StoreDep) -> Response:
    return redirect(f"/boards/{open_sample(store, language_of(request)).id}")
