"""Routes that export and import ideas."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response, status
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json

from service.errors import InvalidArchive
from service.schemas.archive import Archive
from service.schemas.identity import new_id, now
from service.schemas.imports import Imported, ImportPublic
from service.store import Store
from service.transfer.background_import import BackgroundImports
from service.transfer.exporter import markdown, spreadsheet
from service.transfer.importer import ImportOptions, format_of, import_file
from service.web.api.idempotency import RepeatableRoute
from service.web.api.shared import Id, problems
from service.web.dependencies import BackgroundImportsDep, FileReaderDep, StoreDep

router = APIRouter(tags=["transfer"], route_class=RepeatableRoute)
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
    "column; and plain text with one idea per line. The whole file is checked first, and nothing is "
    "imported if it has a fault. Then its ideas are stored in short transactions, the first 100 "
    "new ones together, so that others can write meanwhile. If the server ends before its answer, "
    "what is stored stays, and importing the file again adds the rest. Existing ideas are left "
    "unchanged; they are matched by id, then by text on the same board. Ideas in the trash stay "
    "there unless `restore` is true. An idea without an id gets one that is computed from its "
    "board and text, so importing a file twice adds nothing. Faults are reported with line and "
    "column. An import goes on if its client leaves. With `Prefer: respond-async` an import that "
    "takes longer than a second is answered with 202; `Location` is where to see how far it is, "
    "and it can be stopped there.",
    responses=problems(404, 409, 503)
    | {
        202: {
            "model": ImportPublic,
            "description": "The import is under way; `Location` is its address.",
        }
    },
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
    imports: BackgroundImportsDep,
    response: Response,
    options: Annotated[ImportOptions, Query()],
    content_type: Annotated[str, Header(include_in_schema=False)] = "",
    prefer: Annotated[
        str, Header(max_length=500, description="`respond-async` answers 202 after a second.")
    ] = "",
) -> Imported | ImportPublic:
    # Read by another process: the framework would parse a large file in the event loop.
    if options.format is None:
        options = options.model_copy(update={"format": format_of(content_type)})
    try:
        if "respond-async" in prefer and not options.dry_run:
            return _in_background(store, imports, body, options, response)
        return import_file(store, reader, body, options)
    except InvalidArchive as error:
        raise RequestValidationError(
            [{**item, "loc": ("body", *item["loc"])} for item in error.problems]
        ) from error


def _in_background(
    store: Store,
    imports: BackgroundImports,
    body: bytes,
    options: ImportOptions,
    response: Response,
) -> Imported | ImportPublic:
    import_id = new_id()
    imports.start(import_id, body, options).wait_a_moment()
    found = store.file_imports.get(import_id)
    response.headers["Preference-Applied"] = "respond-async"
    if found.result is not None:
        return found.result
    response.headers["Location"] = f"/api/v1/imports/{import_id}"
    response.status_code = status.HTTP_202_ACCEPTED
    return found


@router.get(
    "/imports/{import_id}",
    operation_id="getImport",
    summary="Read how far an import is",
    description="Of an import with `Prefer: respond-async`, until a day after it began.",
    responses=problems(404),
)
def read_import(import_id: Id, store: StoreDep) -> ImportPublic:
    return store.file_imports.get(import_id)


@router.post(
    "/imports/{import_id}/stop",
    operation_id="stopImport",
    summary="Stop an import",
    description="It stops within a moment. What it has written stays, and importing the file again "
    "adds the rest. An import that has ended stays as it is.",
    responses=problems(404),
)
def stop_import(import_id: Id, store: StoreDep) -> ImportPublic:
    store.file_imports.request_stop(import_id)
    return store.file_imports.get(import_id)
