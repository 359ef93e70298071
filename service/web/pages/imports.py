"""Routes that import a file: upload or paste it, preview it, confirm it, and only then store it."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response, UploadFile, status
from pydantic import BaseModel, BeforeValidator, Field

from service.errors import InvalidFile, InvalidInput, NotFound
from service.messages import Counted, Text
from service.schemas.imports import (
    Action,
    Column,
    Groups,
    Imported,
    ImportFormat,
    ImportPublic,
    Nested,
    Reason,
)
from service.store import Store
from service.transfer.file_reader import FileReader
from service.transfer.importer import (
    ImportOptions,
    guess_format,
    import_file,
    read_header,
)
from service.web.dependencies import (
    BackgroundImportsDep,
    FileReaderDep,
    PendingUploadsDep,
    StoreDep,
)
from service.web.pages.responses import Flash, redirect, render, targets_element

FORMATS: dict[ImportFormat, str] = {
    "markdown": "Markdown",
    "csv": "CSV",
    "lines": Text("Plain text, one idea per line"),
    "json": Text("Ideapool JSON"),
}
ACTIONS: dict[Action, str] = {
    "add": Text("New"),
    "change": Text("Updated"),
    "restore": Text("Restored from the trash"),
    "skip": Text("Unchanged"),
}
# Ideas in the trash are shown without a reason.
REASONS: dict[Reason, str] = {
    "there": Text("already exists"),
    "same-text": Text("an idea with this text already exists"),
    "twice": Text("is in the file twice"),
}
FIELDS = {
    "title": Text("title"),
    "body": Text("text"),
    "status": Text("status"),
    "star": Text("star"),
    "tags": Text("tags"),
    "board": Text("board"),
}
COLUMN_NAMES: dict[Column, str] = {
    "title": Text("Title"),
    "body": Text("Text"),
    "tags": Text("Tags"),
    "status": Text("Status"),
    "star": Text("Star"),
    "board": Text("Board"),
}
router = APIRouter(prefix="/import")


def _none_if_blank(value: Any) -> Any:
    return None if value == "" else value


ColumnField = Annotated[
    Annotated[str, Field(max_length=200)] | None, BeforeValidator(_none_if_blank)
]


class ImportOptionsForm(BaseModel):
    """The options as the forms and the address of the preview have them; blank means default."""

    format: Annotated[ImportFormat | None, BeforeValidator(_none_if_blank)] = None
    board: Annotated[str | None, BeforeValidator(_none_if_blank)] = Field(
        default=None, max_length=64
    )
    groups: Groups = "boards"
    nested: Nested = "body"
    update: bool = False
    restore: bool = False
    title_column: ColumnField = None
    body_column: ColumnField = None
    tags_column: ColumnField = None
    status_column: ColumnField = None
    star_column: ColumnField = None
    board_column: ColumnField = None

    def options(self, *, dry_run: bool) -> ImportOptions:
        fields = self.model_dump(include=set(ImportOptionsForm.model_fields))
        if self.format != "csv":
            # Columns may have been chosen before the format was changed.
            fields = {name: value for name, value in fields.items() if not name.endswith("_column")}
        # JSON is never an update; the box may still be ticked from another format.
        fields["update"] = self.update and self.format != "json"
        return ImportOptions(**fields, dry_run=dry_run)


class UploadForm(ImportOptionsForm):
    text: str = ""
    file: UploadFile | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """`names` are the columns of a CSV file; `taken` maps each field to its column."""

    names: list[str]
    taken: dict[str, str]

    @property
    def lacks_title(self) -> bool:
        return "title" not in self.taken


class Fault(BaseModel):
    line: int | None = None
    column: int | None = None
    detail: str


@router.get("")
def choose_file(request: Request, store: StoreDep, board: str | None = None) -> Response:
    known = {each.id for each in store.boards.all()}
    options = ImportOptionsForm(board=board if board in known else None)
    context = {"options": options, "text": "", "fault": ""}
    return render(request, "imports/import.html", context | _choices(), board_id=options.board)


@router.post("")
def upload_file(
    request: Request,
    files: PendingUploadsDep,
    form: Annotated[UploadForm, Form(media_type="multipart/form-data")],
) -> Response:
    content, name, kind = form.text.encode(), "", ""
    if form.file is not None and form.file.filename:
        content, name = form.file.file.read(), form.file.filename
        kind = form.file.content_type or ""
    if not content.strip():
        fault = Text("Choose a file or paste text.")
        context = {"options": form, "text": form.text, "fault": fault}
        return render(
            request,
            "imports/import.html",
            context | _choices(),
            status_code=status.HTTP_422_UNPROCESSABLE_CONTENT,
        )
    options = form.model_dump(exclude={"text", "file"}, exclude_none=True)
    options["format"] = form.format or guess_format(content, kind, name)
    # A person who imports a file wants everything in it. The preview shows what is restored.
    options["restore"] = True
    return redirect(f"/import/{files.keep(content)}?{urlencode(options)}")


@router.get("/{token}")
def preview_import(
    request: Request,
    token: str,
    store: StoreDep,
    reader: FileReaderDep,
    files: PendingUploadsDep,
    form: Annotated[ImportOptionsForm, Query()],
) -> Response:
    content, options = files.read(token), form.options(dry_run=True)
    table = _table(content, options)
    plan, faults = None, list[Fault]()
    if table is None or not table.lacks_title:
        plan, faults = _try_import(store, reader, content, options)
    context = {"token": token, "options": form, "plan": plan, "faults": faults, "table": table}
    context |= {"actions": ACTIONS, "reasons": REASONS, "fields": FIELDS, "columns": COLUMN_NAMES}
    code = status.HTTP_422_UNPROCESSABLE_CONTENT if faults else status.HTTP_200_OK
    return render(
        request,
        "imports/import_preview.html",
        context | _choices(),
        board_id=form.board,
        status_code=code,
    )


@router.post("/{token}")
def confirm_import(
    token: str,
    store: StoreDep,
    imports: BackgroundImportsDep,
    files: PendingUploadsDep,
    form: Annotated[ImportOptionsForm, Form()],
) -> Response:
    content, options = files.read(token), form.options(dry_run=False)
    try:
        work = imports.start(token, content, options, done=lambda: files.drop(token))
        work.wait_a_moment()
    except InvalidInput:
        # Somebody changed the boards meanwhile. The preview shows what is wrong now.
        return redirect(f"/import/{token}?{_query(form)}")
    found = store.file_imports.get(token)
    if found.result is None:
        return redirect(f"/import/{token}/progress?{_query(form)}")
    return redirect(_target_address(store, found), Flash(_summary(found.result)))


@router.get("/{token}/progress")
def show_progress(
    request: Request, token: str, store: StoreDep, form: Annotated[ImportOptionsForm, Query()]
) -> Response:
    """The page loads its part alone until the import has ended."""
    found = store.file_imports.get(token)
    context: dict[str, Any] = {
        "found": found,
        "token": token,
        "options": _query(form),
    }
    if found.result is not None:
        context |= {"summary": _summary(found.result), "target": _target_address(store, found)}
    is_part = targets_element(request, "import-state")
    template = "imports/_import_state.html" if is_part else "imports/import_progress.html"
    return render(request, template, context)


@router.post("/{token}/stop")
def stop_import(
    token: str, store: StoreDep, form: Annotated[ImportOptionsForm, Query()]
) -> Response:
    store.file_imports.request_stop(token)
    return redirect(f"/import/{token}/progress?{_query(form)}")


def _query(form: ImportOptionsForm) -> str:
    return urlencode(form.model_dump(exclude_none=True))


def _table(content: bytes, options: ImportOptions) -> Table | None:
    """None if there are no columns to choose from, or the file cannot be read."""
    if options.format != "csv":
        return None
    try:
        header = read_header(content, options.columns)
    except InvalidFile:
        return None
    except InvalidInput:
        header = read_header(content, {})
    names = list(dict.fromkeys(name for name in header.names if name))
    return None if header.is_own or not names else Table(names, header.taken)


def _choices() -> dict[str, Any]:
    return {"formats": FORMATS}


def _try_import(
    store: Store, reader: FileReader, content: bytes, options: ImportOptions
) -> tuple[Imported | None, list[Fault]]:
    try:
        return import_file(store, reader, content, options), []
    except InvalidFile as error:
        places = error.places
        return None, [Fault(line=line, column=column, detail=what) for line, column, what in places]
    except InvalidInput as error:
        return None, [Fault(detail=error.detail)]


def _target_address(store: Store, found: ImportPublic) -> str:
    """Returns the address of the board that has the first new or updated idea."""
    if found.first_idea_id is not None:
        # Somebody may have deleted it meanwhile.
        with suppress(NotFound):
            return f"/boards/{store.ideas.get(found.first_idea_id).board_id}"
    return "/"


def _summary(result: Imported) -> str:
    counts = (result.added.ideas, result.changed.ideas, result.restored.ideas)
    added = Counted("Imported %(count)s idea.", "Imported %(count)s ideas.", counts[0])
    changed = Counted("Updated %(count)s idea.", "Updated %(count)s ideas.", counts[1])
    restored = Counted(
        "Restored %(count)s idea from the trash.",
        "Restored %(count)s ideas from the trash.",
        counts[2],
    )
    parts = [text for text, count in zip((added, changed, restored), counts, strict=True) if count]
    summary: Text = parts[0] if parts else added
    for part in parts[1:]:
        summary = Text("%(added)s %(changed)s", added=summary, changed=part)
    return summary
