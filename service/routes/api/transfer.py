"""Export and import over REST."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from pydantic_core import to_json

from service.dependencies import StoreDep
from service.exporting import markdown, spreadsheet
from service.models import now
from service.routes.api.shared import problems
from service.transfer_shapes import Archive, Imported

router = APIRouter(tags=["transfer"])
Format = Literal["json", "markdown", "csv"]
_ENDINGS: dict[Format, str] = {"json": "json", "markdown": "md", "csv": "csv"}
_MEDIA_TYPES: dict[Format, str] = {
    "json": "application/json",
    "markdown": "text/markdown",
    "csv": "text/csv",
}
SHOWN_ERRORS = 20


@router.get(
    "/export",
    operation_id="exportIdeas",
    summary="All boards or one, as a file",
    description="JSON holds everything and can be imported; Markdown is to read, CSV for "
    "spreadsheets. What was deleted is left out.",
    response_model=Archive,
    responses=problems(404)
    | {
        200: {
            "description": "The file.",
            "content": {
                "text/markdown": {"schema": {"type": "string"}},
                "text/csv": {"schema": {"type": "string"}},
            },
        }
    },
)
def export_ideas(
    store: StoreDep,
    board: Annotated[str | None, Query(max_length=64, description="Default: all boards.")] = None,
    format: Format = "json",
) -> Response:
    if format == "json":
        content = to_json(store.transfer.archive(board))
    else:
        write = markdown if format == "markdown" else spreadsheet
        content = write(store.transfer.readable(board)).encode()
    name = f"ideapool-{now():%Y-%m-%d}.{_ENDINGS[format]}"
    return Response(
        content,
        media_type=_MEDIA_TYPES[format],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _body(request: Request) -> bytes:
    return await request.body()


@router.post(
    "/import",
    operation_id="importIdeas",
    summary="Add what an exported file holds",
    description="Takes what `export` gives as JSON. All of it comes in, or nothing; what has an "
    "id that is there already, deleted or not, is left as it is, so that importing twice does no "
    "harm.",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Archive"}}},
        }
    },
)
def import_ideas(body: Annotated[bytes, Depends(_body)], store: StoreDep) -> Imported:
    # Read here and not by the framework: a large file would hold up the event loop.
    try:
        archive = Archive.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError(
            [{**item, "loc": ("body", *item["loc"])} for item in found[:SHOWN_ERRORS]]
        ) from error
    return store.transfer.add(archive)
