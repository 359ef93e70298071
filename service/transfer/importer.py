"""Import as REST and the pages offer it: a file and how to take it, in; what came of it, out."""

import re
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

from service.errors import InvalidInput
from service.messages import Text
from service.schemas.archive import Archive
from service.schemas.imports import Groups, Imported, Nested, Taking
from service.store import Store
from service.transfer.readers import has_header, read

ImportFormat = Literal["json", "markdown", "csv", "lines"]
LOOKED_AT = 20_000
_MARKDOWN = re.compile(r"^\s*(?:#{1,6}|[-*+]|\d+[.)])\s", re.MULTILINE)
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


class ImportManner(BaseModel):
    """How a file is taken in."""

    format: ImportFormat | None = Field(
        default=None, description="Default: by the `Content-Type`, and JSON if that tells nothing."
    )
    board: str | None = Field(
        default=None,
        max_length=64,
        description="Where ideas go that name no board, by its id. Default: the oldest board.",
    )
    groups: Groups = Field(
        default="boards",
        description="What a top heading in Markdown or the board column in CSV becomes: boards of "
        "that name, or tags.",
    )
    nested: Nested = Field(
        default="body",
        description="What list items within an item become: its text, or ideas branching from it.",
    )
    update: bool = Field(
        default=False,
        description="Change ideas that are there already to what the file says, as new versions. "
        "Not for JSON.",
    )
    restore: bool = Field(
        default=False,
        description="Bring back ideas and boards of the file that are in the trash.",
    )
    dry_run: bool = Field(default=False, description="Only say what would be done.")


def guess_format(content: bytes, media_type: str, file_name: str) -> ImportFormat:
    """By the name, the media type, and else by what it looks like."""
    told = format_of(media_type, file_name)
    if told not in ("json", "lines") or file_name.endswith((".json", ".txt")):
        return told
    beginning = content[:LOOKED_AT].decode("utf-8", errors="replace").lstrip("\ufeff \r\n\t")
    if beginning.startswith("{"):
        return "json"
    if has_header(beginning):
        return "csv"
    return "markdown" if _MARKDOWN.search(beginning) else "lines"


def format_of(media_type: str, file_name: str = "") -> ImportFormat:
    kind = media_type.partition(";")[0].strip().lower()
    ending = file_name.rpartition(".")[2].lower() if "." in file_name else ""
    return _ENDINGS.get(ending) or _MEDIA_TYPES.get(kind, "json")


def bring_in(store: Store, content: bytes, manner: ImportManner) -> Imported:
    """Raises:
    ValidationError: it is no archive of ours.
    InvalidInput: what is in it cannot be used.
    NotFound: there is no such board.
    """
    if manner.format is None or manner.format == "json":
        if manner.update:
            raise InvalidInput(
                Text(
                    "Ideas of a JSON file are added or left as they are. Import CSV or Markdown to "
                    "change what is there."
                ),
                pointer="/update",
            )
        archive = Archive.model_validate_json(content)
        return store.archive.add(archive, restore=manner.restore, dry_run=manner.dry_run)
    reading = read(
        content,
        manner.format,
        groups=manner.groups,
        nested=manner.nested,
        title_limit=store.limits.title,
    )
    taking = Taking(manner.board, update=manner.update, restore=manner.restore)
    return store.text_import.add(reading, taking, dry_run=manner.dry_run)


def first_fault(error: ValidationError) -> str:
    """What is wrong with an archive, in a sentence."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = "/".join(str(part) for part in first["loc"])
    return f"{place or 'The file'}: {first['msg']}. Nothing was imported."
