"""The import that REST and the pages offer: detects the format, reads the file, stores its ideas."""

import re
from collections.abc import Mapping
from typing import Annotated, get_args

from pydantic import BaseModel, Field, StringConstraints

from service.errors import InvalidInput
from service.messages import Text
from service.schemas.imports import (
    Column,
    Groups,
    Imported,
    ImportFormat,
    ImportPolicy,
    Nested,
)
from service.store import Store
from service.store.batches import Watch
from service.transfer.file_reader import FileReader
from service.transfer.readers import Header, decode, has_header, header_of

ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=200)] | None
COLUMNS: tuple[Column, ...] = get_args(Column)
SNIFFED_BYTES = 20_000
# The names of the columns stand at the beginning. A cell there may be as large as the file.
HEADER_CHARACTERS = 200_000
_MARKDOWN = re.compile(r"^[^\S\n]*+(?:#{1,6}|[-*+]|\d{1,9}[.)])\s", re.MULTILINE)
_MEDIA_TYPES: dict[str, ImportFormat] = {
    "text/markdown": "markdown",
    "text/x-markdown": "markdown",
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "text/plain": "lines",
}
_ENDINGS: dict[str, ImportFormat] = {
    "json": "json",
    "md": "markdown",
    "markdown": "markdown",
    "csv": "csv",
    "tsv": "csv",
    "txt": "lines",
}


class ImportOptions(BaseModel):
    """The options of an import."""

    format: ImportFormat | None = Field(
        default=None, description="Default: by the `Content-Type`, or else JSON."
    )
    board: str | None = Field(
        default=None,
        max_length=64,
        description="The id of the default board, for ideas without one. Default: the oldest board.",
    )
    groups: Groups = Field(
        default="boards",
        description="What top headings in Markdown and the board column in CSV become: boards of that "
        "name, or tags.",
    )
    nested: Nested = Field(
        default="body",
        description="What nested list items become: text of the outer idea, or branches of it.",
    )
    update: bool = Field(
        default=False,
        description="Update existing ideas from this file; new texts become new versions. Not "
        "available for JSON.",
    )
    title_column: ColumnName = Field(
        default=None,
        description="For CSV: the name of the column with the titles. Default: the column called title, "
        "name, summary, card name or the like.",
    )
    body_column: ColumnName = Field(
        default=None,
        description="The column with the texts. Here and below, `-` chooses no column.",
    )
    tags_column: ColumnName = None
    status_column: ColumnName = None
    star_column: ColumnName = None
    board_column: ColumnName = None
    restore: bool = Field(
        default=False,
        description="Restore ideas and boards of the file from the trash.",
    )
    dry_run: bool = Field(default=False, description="Only report what the import would do.")

    @property
    def columns(self) -> dict[str, str]:
        """The columns that were chosen, by their names in the file."""
        named = {field: getattr(self, f"{field}_column") for field in COLUMNS}
        return {field: name for field, name in named.items() if name is not None}


def guess_format(content: bytes, media_type: str, file_name: str) -> ImportFormat:
    """Detects the format by the file's name, its media type, or else its content."""
    declared = format_of(media_type, file_name)
    if declared not in ("json", "lines") or file_name.endswith((".json", ".txt")):
        return declared
    beginning = content[:SNIFFED_BYTES].decode("utf-8", errors="replace").lstrip("\ufeff \r\n\t")
    if beginning.startswith("{"):
        return "json"
    if has_header(beginning):
        return "csv"
    return "markdown" if _MARKDOWN.search(beginning) else "lines"


def format_of(media_type: str, file_name: str = "") -> ImportFormat:
    """Returns the format by the ending of the name, then by the media type; the default is JSON."""
    kind = media_type.partition(";")[0].strip().lower()
    ending = file_name.rpartition(".")[2].lower() if "." in file_name else ""
    return _ENDINGS.get(ending) or _MEDIA_TYPES.get(kind, "json")


def import_file(
    store: Store,
    reader: FileReader,
    content: bytes,
    options: ImportOptions,
    watch: Watch | None = None,
) -> Imported:
    """Imports a file, or reports with `dry_run` what the import would do.

    Raises:
        Stopped: `watch` stopped it. What is written stays.
        InvalidArchive: the JSON is not an archive of Ideapool.
        InvalidInput: the content of the file cannot be used.
        NotFound: the default board does not exist.
    """
    _check_columns(options)
    if options.format is None or options.format == "json":
        if options.update:
            raise InvalidInput(
                Text(
                    "An import of JSON leaves existing ideas unchanged. To update them, import CSV or "
                    "Markdown."
                ),
                pointer="/update",
            )
        archive = reader.archive(content)
        return store.archive.add(
            archive, restore=options.restore, dry_run=options.dry_run, watch=watch
        )
    parsed = reader.parsed(
        content,
        options.format,
        groups=options.groups,
        nested=options.nested,
        title_limit=store.limits.title,
        columns=options.columns,
    )
    policy = ImportPolicy(options.board, update=options.update, restore=options.restore)
    return store.text_import.add(parsed, policy, dry_run=options.dry_run, watch=watch)


def _check_columns(options: ImportOptions) -> None:
    if options.columns and options.format != "csv":
        raise InvalidInput(
            Text("Only CSV has columns. Leave them out, or import the file as CSV."),
            pointer=f"/{next(iter(options.columns))}_column",
        )


def read_header(content: bytes, columns: Mapping[str, str]) -> Header:
    """Which columns a table has and which fields are taken from them, as far as that is known.

    Raises: InvalidFile, InvalidInput.
    """
    return header_of(decode(content)[:HEADER_CHARACTERS], columns)
