"""Routes for the rubrics of a board and for the table of its ideas' scores."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response, status
from fastapi.responses import JSONResponse

from service.analysis.rubrics import Order, score_table, sorted_table
from service.schemas.evaluation import RubricCreate, RubricPublic, RubricUpdate, TablePublic
from service.transfer.exporter import table_spreadsheet
from service.web.api.idempotency import KeyedRoute
from service.web.api.shared import NEXT_PAGE, Id, PagingDep, RevisionDep, file, links, problems, tag
from service.web.dependencies import StoreDep

router = APIRouter(prefix="/boards/{board_id}", tags=["evaluation"], route_class=KeyedRoute)
_ID = "rubric_id"


@router.get(
    "/rubrics",
    operation_id="listRubrics",
    summary="List the board's own rubrics, sorted by name",
    description="The default rubric is not listed: novelty, feasibility, impact and clarity, all "
    "with the same weight.",
    responses=problems(404) | NEXT_PAGE,
)
def list_rubrics(board_id: Id, store: StoreDep, paging: PagingDep) -> list[RubricPublic]:
    return paging.items(store.rubrics.page(board_id, paging.wanted))


@router.post(
    "/rubrics",
    operation_id="createRubric",
    summary="Create a rubric",
    description="A criterion named `novelty`, `feasibility`, `impact` or `clarity` without a "
    "description of its own is scored by the model's score head, if it has one. The score of any "
    "other criterion is a rough estimate, from the model's probabilities of the digits, and is "
    "marked as uncalibrated.",
    status_code=status.HTTP_201_CREATED,
    responses=problems(404, 409)
    | links(201, "id", "board_id", getRubric=_ID, updateRubric=_ID, deleteRubric=_ID),
)
def create_rubric(
    board_id: Id, shape: RubricCreate, store: StoreDep, response: Response
) -> RubricPublic:
    rubric = store.rubrics.create(board_id, shape)
    response.headers["Location"] = f"/api/v1/boards/{board_id}/rubrics/{rubric.id}"
    return tag(response, rubric)


@router.get(
    "/rubrics/{rubric_id}",
    operation_id="getRubric",
    summary="Get a rubric",
    responses=problems(404),
)
def get_rubric(board_id: Id, rubric_id: Id, store: StoreDep, response: Response) -> RubricPublic:
    return tag(response, store.rubrics.get(rubric_id, board_id=board_id))


@router.patch(
    "/rubrics/{rubric_id}",
    operation_id="updateRubric",
    summary="Change a rubric",
    description="Earlier evaluations keep the old criteria. A changed weight applies to the table "
    "at once; after other changes to the criteria, evaluate the ideas again. Send the `ETag` that "
    "you read as `If-Match`, so that you do not overwrite changes that you have not seen.",
    responses=problems(404, 409, 412),
)
def update_rubric(
    board_id: Id,
    rubric_id: Id,
    shape: RubricUpdate,
    store: StoreDep,
    response: Response,
    revision: RevisionDep,
) -> RubricPublic:
    return tag(response, store.rubrics.update(board_id, rubric_id, shape, revision=revision))


@router.delete(
    "/rubrics/{rubric_id}",
    operation_id="deleteRubric",
    summary="Delete a rubric",
    description="Evaluations made with it are kept. `restore` undoes the deletion.",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(404, 412),
)
def delete_rubric(board_id: Id, rubric_id: Id, store: StoreDep, revision: RevisionDep) -> None:
    store.rubrics.delete(board_id, rubric_id, revision=revision)


@router.post(
    "/rubrics/{rubric_id}/restore",
    operation_id="restoreRubric",
    summary="Undo the deletion of a rubric",
    responses=problems(404, 409),
)
def restore_rubric(
    board_id: Id, rubric_id: Id, store: StoreDep, response: Response
) -> RubricPublic:
    return tag(response, store.rubrics.restore(rubric_id, board_id=board_id))


@router.get(
    "/table",
    operation_id="tabulateIdeas",
    summary="Get a table of the ideas' scores by a rubric",
    description="Shows the newest evaluation by the rubric of each idea that is not archived. "
    "Ideas without a score come last. Use CSV for spreadsheets.",
    response_model=TablePublic,
    responses=problems(404) | {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def tabulate_ideas(
    board_id: Id,
    store: StoreDep,
    rubric_id: Annotated[
        str | None, Query(min_length=1, max_length=64, description="Default: the default rubric.")
    ] = None,
    sort: Annotated[
        str,
        Query(
            pattern="^(overall|title|[1-8])$",
            description="`overall`, `title` or the number of a criterion. An unknown number sorts "
            "by `overall`.",
        ),
    ] = "overall",
    order: Order = "descending",
    format: Literal["json", "csv"] = "json",
) -> Response:
    table = sorted_table(score_table(store, board_id, rubric_id), sort, order)
    if format == "csv":
        return file(table_spreadsheet(table), "text/csv", "evaluations.csv")
    return JSONResponse(table.model_dump(mode="json"))
