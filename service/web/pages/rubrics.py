"""Routes for the rubrics of a board."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.exceptions import RequestValidationError

from service.analysis.rubrics import DEFAULT_NAME, default_rubric
from service.messages import Text
from service.schemas.evaluation import (
    CRITERIA_CEILING,
    DESCRIPTION_CEILING,
    NAME_CEILING,
    RubricCreate,
    RubricUpdate,
)
from service.web.dependencies import StoreDep
from service.web.pages.evaluation_forms import EvaluateOneForm, RubricEdit, RubricForm
from service.web.pages.responses import Flash, redirect, redirect_back, render
from service.web.pages.start_run import ShapeT, validate_as

router = APIRouter()


@router.get("/boards/{board_id}/rubrics")
def show_rubrics(request: Request, board_id: str, store: StoreDep) -> Response:
    context = {
        "board": store.boards.get(board_id),
        "rubrics": store.rubrics.all(board_id),
        "usual": default_rubric(),
        "most": CRITERIA_CEILING,
        "widths": {"criterion": NAME_CEILING, "description": DESCRIPTION_CEILING},
    }
    return render(request, "rubrics/rubrics.html", context, board_id=board_id)


@router.post("/boards/{board_id}/rubrics")
def create_rubric(board_id: str, store: StoreDep, form: Annotated[RubricForm, Form()]) -> Response:
    rubric = store.rubrics.create(board_id, _validated(RubricCreate, form))
    made = Text("The rubric “%(name)s” is ready.", name=rubric.name)
    return redirect(f"/boards/{board_id}/rubrics", Flash(made))


@router.post("/boards/{board_id}/rubrics/shown")
def show_on_cards(
    request: Request, board_id: str, store: StoreDep, form: Annotated[EvaluateOneForm, Form()]
) -> Response:
    """Chooses the rubric whose scores cards show and are sorted by."""
    store.rubrics.show(board_id, form.rubric)
    shown = store.rubrics.shown(board_id)
    name = DEFAULT_NAME if shown is None else shown.name
    flash = Flash(Text("Cards show the scores by “%(name)s” now.", name=name))
    return redirect_back(request, f"/boards/{board_id}/rubrics", flash)


@router.get("/rubrics/{rubric_id}")
def show_rubric(rubric_id: str, store: StoreDep) -> Response:
    """A rubric has no page of its own, so this redirects to its place in the list."""
    board_id = store.rubrics.get(rubric_id).board_id
    return redirect(f"/boards/{board_id}/rubrics#rubric-{rubric_id}")


@router.post("/rubrics/{rubric_id}")
def update_rubric(rubric_id: str, store: StoreDep, form: Annotated[RubricEdit, Form()]) -> Response:
    board_id = store.rubrics.get(rubric_id).board_id
    shape = _validated(RubricUpdate, form)
    store.rubrics.update(board_id, rubric_id, shape, revision=form.revision)
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


def _validated(shape: type[ShapeT], form: RubricForm) -> ShapeT:
    """Raises: RequestValidationError that names the fields of the form."""
    try:
        return validate_as(shape, name=form.name, criteria=form.criteria)
    except RequestValidationError as error:
        found = [{**one, "loc": form.place(one["loc"])} for one in error.errors()]
        raise RequestValidationError(found) from error
