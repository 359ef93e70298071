"""A board's own rubrics: made, changed, deleted and taken back."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.exceptions import RequestValidationError

from service.analysis.rubrics import DEFAULT_NAME, default_rubric
from service.errors import ServiceError
from service.messages import Text
from service.schemas.evaluation import CRITERIA_CEILING, RubricCreate, RubricPublic, RubricUpdate
from service.store import Store
from service.web.dependencies import StoreDep
from service.web.errors import problem_of
from service.web.pages.evaluation_forms import EvaluateOneForm, RubricEdit, RubricForm
from service.web.pages.responses import Flash, back, redirect, render
from service.web.pages.start_run import task_of

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Sheet:
    """A rubric and what its form holds; `rubric` is None for a new one."""

    rubric: RubricPublic | None
    name: str
    rows: list[tuple[str, str, str]]
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """What was typed, into the form of which rubric (empty: of a new one), and what was wrong."""

    rubric_id: str
    form: RubricForm
    problem: dict[str, Any]


@router.get("/boards/{board_id}/rubrics")
def show_rubrics(request: Request, board_id: str, store: StoreDep) -> Response:
    return _page(request, store, board_id)


@router.post("/boards/{board_id}/rubrics")
def create_rubric(
    request: Request, board_id: str, store: StoreDep, form: Annotated[RubricForm, Form()]
) -> Response:
    try:
        shape = task_of(RubricCreate, name=form.name, criteria=form.criteria)
        rubric = store.rubrics.create(board_id, shape)
    except (RequestValidationError, ServiceError) as error:
        return _refuse(request, store, board_id, Refused("", form, problem_of(error)), error)
    made = Text("The rubric “%(name)s” is ready.", name=rubric.name)
    return redirect(f"/boards/{board_id}/rubrics", Flash(made))


@router.post("/boards/{board_id}/rubrics/shown")
def show_on_cards(
    request: Request, board_id: str, store: StoreDep, form: Annotated[EvaluateOneForm, Form()]
) -> Response:
    """Whose scores the cards show and are sorted by."""
    store.rubrics.show(board_id, form.rubric)
    shown = store.rubrics.shown(board_id)
    name = DEFAULT_NAME if shown is None else shown.name
    flash = Flash(Text("Cards show the scores by “%(name)s” now.", name=name))
    return back(request, f"/boards/{board_id}/rubrics", flash)


@router.post("/rubrics/{rubric_id}")
def update_rubric(
    request: Request, rubric_id: str, store: StoreDep, form: Annotated[RubricEdit, Form()]
) -> Response:
    board_id = store.rubrics.get(rubric_id).board_id
    try:
        shape = task_of(RubricUpdate, name=form.name, criteria=form.criteria)
        store.rubrics.update(board_id, rubric_id, shape, revision=form.revision)
    except (RequestValidationError, ServiceError) as error:
        refused = Refused(rubric_id, form, problem_of(error))
        return _refuse(request, store, board_id, refused, error)
    return redirect(f"/boards/{board_id}/rubrics", Flash(Text("Saved.")))


@router.post("/rubrics/{rubric_id}/delete")
def delete_rubric(rubric_id: str, store: StoreDep) -> Response:
    board_id = store.rubrics.get(rubric_id).board_id
    rubric = store.rubrics.delete(board_id, rubric_id)
    deleted = Text("The rubric “%(name)s” is deleted.", name=rubric.name)
    return redirect(f"/boards/{board_id}/rubrics", Flash(deleted, f"/rubrics/{rubric_id}/restore"))


@router.post("/rubrics/{rubric_id}/restore")
def restore_rubric(rubric_id: str, store: StoreDep) -> Response:
    rubric = store.rubrics.restore(rubric_id)
    restored = Text("The rubric “%(name)s” is back.", name=rubric.name)
    return redirect(f"/boards/{rubric.board_id}/rubrics", Flash(restored))


def _refuse(
    request: Request, store: Store, board_id: str, refused: Refused, error: Exception
) -> Response:
    """Where the form still stands in its page, an alert is enough; else the page comes again with
    what was typed.
    """
    if "hx-request" in request.headers:
        raise error
    return _page(request, store, board_id, refused)


def _page(
    request: Request, store: Store, board_id: str, refused: Refused | None = None
) -> Response:
    context = {
        "board": store.boards.get(board_id),
        "sheets": [_sheet(rubric, refused) for rubric in store.rubrics.all(board_id)],
        "new": _sheet(None, refused),
        "usual": default_rubric(),
        "most": CRITERIA_CEILING,
        "refused": refused,
    }
    status = 200 if refused is None else int(refused.problem["status"])
    return render(request, "rubrics/rubrics.html", context, board_id=board_id, status_code=status)


def _sheet(rubric: RubricPublic | None, refused: Refused | None) -> Sheet:
    if refused is not None and refused.rubric_id == (rubric.id if rubric else ""):
        return Sheet(rubric, refused.form.name, refused.form.rows, is_refused=True)
    if rubric is None:
        return Sheet(None, "", [])
    rows = [(one.name, one.description, f"{one.weight:g}") for one in rubric.criteria]
    return Sheet(rubric, rubric.name, rows)
