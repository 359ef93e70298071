"""The files of ideas in the JSON file of export and import."""

import base64
import binascii
from collections.abc import Iterator, Sequence
from functools import partial

from sqlmodel import Session

from service.errors import InvalidInput
from service.file_types.intake import NewFile, take_in
from service.messages import Text
from service.schemas.archive import AttachmentRow
from service.schemas.imports import Imported
from service.store.archive_rows import Row
from service.store.attachments import attachment_of, content_of, store_file, total_size
from service.store.batches import Step
from service.store.limits import Limits
from service.store.row_insertion import known_keys

# So much of files goes into one export; in Base64 it still fits the usual limit of an import.
CONTENT_BYTES = 32 * 1024 * 1024
TakenIn = tuple[AttachmentRow, NewFile]
# The most signs at the end of Base64 that stand for nothing.
_PADDING = 2


def add_contents(session: Session, rows: Sequence[Row]) -> None:
    """Adds the contents in place, smallest files first; those that have no room get null."""
    left = CONTENT_BYTES
    for row in sorted(rows, key=lambda one: one["size"]):
        left -= row["size"]
        has_room = left >= 0
        row["content"] = (
            base64.b64encode(content_of(session, row["id"])).decode() if has_room else None
        )


def with_content(
    session: Session, limits: Limits, new: Sequence[AttachmentRow], result: Imported
) -> list[AttachmentRow]:
    """Those of the new rows that have one; the others are counted, as all are where no files are stored.

    Raises:
        InvalidInput: a file is larger than files may be here.
        Conflict: there is no room for them.
    """
    found = [row for row in new if row.content is not None and limits.attachment]
    result.files_without_content = len(new) - len(found)
    sizes = [len(row.content or "") * 3 // 4 for row in found]
    for size in sizes:
        limits.check_attachment(size - _PADDING)
    limits.check_attachments(total_size(session) + sum(sizes))
    return found


def taken_in(rows: Sequence[AttachmentRow]) -> list[TakenIn]:
    """Anybody can write such a file, so that what it says of the contents is not believed.

    Raises: InvalidInput with a JSON Pointer to a content that is not stored.
    """
    taken = []
    for place, row in enumerate(rows):
        try:
            content = base64.b64decode(row.content or "", validate=True)
            taken.append((row, take_in(row.name, content)))
        except binascii.Error as error:
            raise _refused(place, Text("It is not Base64.")) from error
        except InvalidInput as error:
            raise _refused(place, error.detail) from error
    return taken


def file_steps(taken: Sequence[TakenIn]) -> Iterator[Step]:
    return (partial(_insert_file, row=row, file=file) for row, file in taken)


def _insert_file(session: Session, row: AttachmentRow, file: NewFile) -> int:
    if not known_keys(session, "attachments", [row]):
        made = attachment_of(row.idea_id, file)
        made.id, made.alt, made.created_at = row.id, row.alt, row.created_at
        store_file(session, made, file.content)
    return 0


def _refused(place: int, what: str) -> InvalidInput:
    pointer = f"/attachments/{place}/content"
    return InvalidInput(
        Text("%(pointer)s: %(what)s Nothing was imported.", pointer=pointer, what=what),
        pointer=pointer,
    )
