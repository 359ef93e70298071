"""Files on ideas.

They are in the database, not in a folder: so all servers on it have them, a file is stored or deleted
together with its idea, and a backup or a copy of the database holds them.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import insert
from sqlmodel import Session, col, delete, func, select
from sqlmodel.sql.expression import SelectOfScalar

from service.actor import Role
from service.errors import Conflict, NotFound
from service.file_types.intake import POINTER, NewFile, take_in
from service.messages import Text
from service.schemas.attachments import AttachmentPublic, AttachmentUpdate
from service.schemas.identity import now
from service.store.access import require
from service.store.activity import record
from service.store.attachment_tables import Attachment, AttachmentPart
from service.store.cursors import EVERYTHING, Key, Order, Page, PageOf
from service.store.database import Database
from service.store.hidden_ideas import ALL_OF_THEM
from service.store.ideas import found
from service.store.keyed_answers import forget_answers
from service.store.limits import Limits
from service.store.tables import Idea

# A deleted file can be restored for so long.
DELETED_LIFE = timedelta(days=1)
PART_BYTES = 64 * 1024
MOST_OF_AN_IDEA = 50
_OLDEST = Order(
    "attachments", Key(col(Attachment.created_at), datetime), Key(col(Attachment.id), str)
)


class AttachmentStore:
    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits

    def add(self, idea_id: str, name: str, content: bytes) -> AttachmentPublic:
        """Stores a file, as far as `take_in` lets it.

        Raises:
            NotFound: the idea does not exist or was deleted.
            InvalidInput: the file is too large, or of a kind that is not stored.
            Conflict: there is no room for it, or files are not stored at all.
        """
        self._limits.check_attachment(len(content))
        file = take_in(name, content)
        with self._database.write() as session:
            idea = found(session, idea_id)
            require(Role.EDITOR, idea.board_id)
            self._check_room(session, idea_id, len(file.content))
            row = attachment_of(idea_id, file)
            store_file(session, row, file.content)
            record(session, "idea.changed", idea.board_id, idea_id)
            return _public(row)

    def page(self, idea_id: str, wanted: PageOf = EVERYTHING) -> Page[AttachmentPublic]:
        """Returns the idea's files, oldest first."""
        with self._database.read() as session:
            found(session, idea_id)
            page = _OLDEST.page(session, _live([idea_id]), wanted)
            return Page([_public(row) for row in page.items], page.cursor)

    def of_ideas(self, idea_ids: Sequence[str]) -> dict[str, list[AttachmentPublic]]:
        """Returns the files of each idea, oldest first, by the ids of those that have any."""
        files: dict[str, list[AttachmentPublic]] = {}
        with self._database.read() as session:
            statement = _live(idea_ids).order_by(col(Attachment.created_at), col(Attachment.id))
            for row in session.exec(statement):
                files.setdefault(row.idea_id, []).append(_public(row))
        return files

    def get(self, attachment_id: str) -> AttachmentPublic:
        with self._database.read() as session:
            return _public(_found(session, attachment_id)[0])

    def content(self, attachment_id: str) -> tuple[AttachmentPublic, bytes]:
        """Returns the file and its bytes.

        Raises:
            NotFound: the file, or its idea, does not exist or was deleted.
        """
        with self._database.read() as session:
            row, _ = _found(session, attachment_id)
            return _public(row), content_of(session, attachment_id)

    def update(self, attachment_id: str, shape: AttachmentUpdate) -> AttachmentPublic:
        with self._database.write() as session:
            row, idea = _found(session, attachment_id)
            require(Role.EDITOR, idea.board_id)
            row.alt = shape.alt
            return _stored(session, row, idea)

    def delete(self, attachment_id: str) -> AttachmentPublic:
        """Hides the file until `restore`, and returns it."""
        with self._database.write() as session:
            row, idea = _found(session, attachment_id)
            require(Role.EDITOR, idea.board_id)
            row.deleted_at = now()
            return _stored(session, row, idea)

    def restore(self, attachment_id: str) -> AttachmentPublic:
        """Brings a deleted file back, for as long as it is kept."""
        with self._database.write() as session:
            row, idea = _found(session, attachment_id, deleted=True)
            require(Role.EDITOR, idea.board_id)
            row.deleted_at = None
            return _stored(session, row, idea)

    def purge_before(self, moment: datetime) -> int:
        """Deletes for good what was deleted before this time; returns how many files there were."""
        with self._database.write() as session:
            gone = session.exec(
                select(Attachment.id).where(col(Attachment.deleted_at) < moment)
            ).all()
            purge_files(session, gone)
            return len(gone)

    def _check_room(self, session: Session, idea_id: str, size: int) -> None:
        on_idea = select(func.count()).where(
            Attachment.idea_id == idea_id, col(Attachment.deleted_at).is_(None)
        )
        if session.exec(on_idea).one() >= MOST_OF_AN_IDEA:
            raise Conflict(
                Text(
                    "An idea can have %(most)s files. Delete one, or start another idea.",
                    most=MOST_OF_AN_IDEA,
                ),
                pointer=POINTER,
            )
        self._limits.check_attachments(total_size(session) + size)


def total_size(session: Session) -> int:
    """How much all files on the server take, also those on boards that the actor may not see."""
    total = select(func.coalesce(func.sum(col(Attachment.size)), 0))
    return int(session.exec(total.execution_options(**ALL_OF_THEM)).one())


def store_file(session: Session, row: Attachment, content: bytes) -> None:
    """Stores a new file within the caller's transaction."""
    session.add(row)
    session.flush()
    parts = [
        {"attachment_id": row.id, "number": number, "content": content[start : start + PART_BYTES]}
        for number, start in enumerate(range(0, len(content), PART_BYTES))
    ]
    session.connection().execute(insert(AttachmentPart), parts)


def content_of(session: Session, attachment_id: str) -> bytes:
    parts = session.exec(
        select(AttachmentPart.content)
        .where(AttachmentPart.attachment_id == attachment_id)
        .order_by(col(AttachmentPart.number))
    )
    return b"".join(parts)


def purge_files(session: Session, attachment_ids: Sequence[str]) -> None:
    """Deletes files for good, within the caller's transaction."""
    if attachment_ids:
        forget_answers(session, attachment_ids)
        of_them = col(AttachmentPart.attachment_id).in_(attachment_ids)
        session.exec(delete(AttachmentPart).where(of_them))
        session.exec(delete(Attachment).where(col(Attachment.id).in_(attachment_ids)))


def purge_files_of(session: Session, idea_ids: Sequence[str]) -> None:
    """Deletes the files of ideas that are deleted for good."""
    files = select(Attachment.id).where(col(Attachment.idea_id).in_(idea_ids))
    purge_files(session, session.exec(files.execution_options(**ALL_OF_THEM)).all())


def attachment_of(idea_id: str, file: NewFile) -> Attachment:
    return Attachment(
        idea_id=idea_id,
        name=file.name,
        media_type=file.media_type,
        size=len(file.content),
        width=file.width,
        height=file.height,
        sha256=hashlib.sha256(file.content).hexdigest(),
    )


def _live(idea_ids: Sequence[str]) -> SelectOfScalar[Attachment]:
    return select(Attachment).where(
        col(Attachment.idea_id).in_(idea_ids), col(Attachment.deleted_at).is_(None)
    )


def _found(
    session: Session, attachment_id: str, *, deleted: bool = False
) -> tuple[Attachment, Idea]:
    row = session.get(Attachment, attachment_id)
    if row is None or (row.deleted_at is not None and not deleted):
        raise NotFound(
            Text(
                "The file %(attachment_id)s does not exist or was deleted.",
                attachment_id=attachment_id,
            )
        )
    return row, found(session, row.idea_id)


def _stored(session: Session, row: Attachment, idea: Idea) -> AttachmentPublic:
    session.add(row)
    record(session, "idea.changed", idea.board_id, idea.id)
    return _public(row)


def _public(row: Attachment) -> AttachmentPublic:
    return AttachmentPublic(**row.model_dump(exclude={"deleted_at"}))
