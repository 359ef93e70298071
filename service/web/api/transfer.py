"""Routes that export and import ideas."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json

from service.errors import InvalidArchive
from service.schemas.archive import Archive
from service.schemas.identity import now
from service.schemas.imports import Imported
from service.transfer.exporter import markdown, spreadsheet
from service.transfer.importer import ImportOptions, format_of, import_file
from service.web.api.idempotency import KeyedRoute
from service.web.api.shared import problems
from service.web.dependencies import FileReaderDep, StoreDep

router = APIRouter(tags=["transfer"], route_class=KeyedRoute)
Format = Literal["json", "markdown", "csv"]
_ENDINGS: dict[Format, str] = {"json": "json", "markdown": "md", "csv": "csv"}
_MEDIA_TYPES: dict[Format, str] = {
    "json": "application/json",
    "markdown": "text/markdown",
    "csv": "text/csv",
}


@router.get(
    "/export",
    operation_id="exportIdeas",
    summary="Export one board or all of them as a file",
    description="JSON contains everything. Markdown is for reading and CSV for spreadsheets; they "
    "contain the current ideas without versions, evaluations and runs. All three formats can be "
    "imported. Deleted boards and ideas are left out.",
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
        content = to_json(store.archive.whole(board))
    else:
        write = markdown if format == "markdown" else spreadsheet
        content = write(store.archive.readable(board)).encode()
    name = f"ideapool-{now():%Y-%m-%d}.{_ENDINGS[format]}"
    return Response(
        content,
        media_type=_MEDIA_TYPES[format],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _text(example: str) -> dict[str, Any]:
    return {"schema": {"type": "string"}, "example": example}


async def _body(request: Request) -> bytes:
    return await request.body()


@router.post(
    "/import",
    operation_id="importIdeas",
    summary="Import ideas from a file",
    description="Four formats are supported: JSON from `export`, with everything; Markdown from "
    "`export`, or any lists and sections; CSV from `export`, or any table whose header has a title "
    "column; and plain text with one idea per line. Either the whole file is imported or nothing. "
    "Existing ideas are left unchanged; they are matched by id, then by text on the same board. "
    "Ideas in the trash stay there unless `restore` is true. An idea without an id gets one that "
    "is computed from its board and text, so importing a file twice adds nothing. Faults are "
    "reported with line and column.",
    responses=problems(404),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/Archive"}},
                "text/markdown": _text(
                    "# Street party\n\n- Soup from one pot #food\n- [x] Chalk\n"
                ),
                "text/csv": _text("title,tags\r\nSoup from one pot,food\r\n"),
                "text/plain": _text("Soup from one pot\nChalk the whole road\n"),
            },
        }
    },
)
def import_ideas(
    body: Annotated[bytes, Depends(_body)],
    store: StoreDep,
    reader: FileReaderDep,
    options: Annotated[ImportOptions, Query()],
    content_type: Annotated[str, Header(include_in_schema=False)] = "",
) -> Imported:
    # Read by another process: the framework would parse a large file in the event loop.
    if options.format is None:
        options = options.model_copy(update={"format": format_of(content_type)})
    try:
        return import_file(store, reader, body, options)
    except InvalidArchive as error:
        raise RequestValidationError(
            [{**item, "loc": ("body", *item["loc"])} for item in error.problems]
        ) from error
