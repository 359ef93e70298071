"""Comments on ideas: people write, edit and delete their own, and owners of the board delete any."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, delete, select

from service.errors import LostUpdate, NotFound
from service.messages import Text
from service.schemas.comments import CommentCreate, CommentPublic, CommentUpdate
from service.schemas.identity import now
from service.store.activity import record
from service.store.authors import Authors, authors
from service.store.cursors import EVERYTHING, Key, Order, Page, PageOf
from service.store.database import Database
from service.store.ideas import found
from service.store.keyed_answers import forget_answers
from service.store.ownership import check_may_delete, check_own, is_own, is_owner
from service.store.tables import Idea
from service.store.team_tables import Comment

# A deleted comment can be restored for so long.
DELETED_LIFE = timedelta(days=1)
_OLDEST = Order("comments", Key(col(Comment.created_at), datetime), Key(col(Comment.id), str))
_NEWEST = Order(
    "last-comments",
    Key(col(Comment.created_at), datetime, descending=True),
    Key(col(Comment.id), str, descending=True),
)


class CommentStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, idea_id: str, wanted: PageOf = EVERYTHING) -> Page[CommentPublic]:
        """Returns the idea's comments, oldest first."""
        return self._page(_OLDEST, idea_id, wanted)

    def last(self, idea_id: str, wanted: PageOf) -> Page[CommentPublic]:
        """Returns the idea's comments, newest first."""
        return self._page(_NEWEST, idea_id, wanted)

    def cursor_to(self, comment_id: str, limit: int) -> str | None:
        """Returns the cursor of a page of `last` that has the comment; None for the first page."""
        with self._database.read() as session:
            row, idea = _found(session, comment_id)
            newer = _OLDEST.page(session, _of(idea.id), PageOf(limit, _OLDEST.cursor(row))).items
            return _NEWEST.cursor(newer[0]) if len(newer) == limit else None

    def _page(self, order: Order, idea_id: str, wanted: PageOf) -> Page[CommentPublic]:
        with self._database.read() as session:
            idea = found(session, idea_id)
            page = order.page(session, _of(idea_id), wanted)
            return Page(_publics(session, page.items, idea), page.cursor)

    def add(self, idea_id: str, shape: CommentCreate) -> CommentPublic:
        with self._database.write() as session:
            idea = found(session, idea_id)
            row = Comment(idea_id=idea_id, body=shape.body)
            session.add(row)
            return _stored(session, row, idea, "comment.created")

    def get(self, comment_id: str) -> CommentPublic:
        with self._database.read() as session:
            row, idea = _found(session, comment_id)
            return _publics(session, [row], idea)[0]

    def board_of(self, comment_id: str) -> str | None:
        """Returns the id of the board that the comment is on, deleted or not."""
        with self._database.read() as session:
            return session.exec(
                select(Idea.board_id)
                .join(Comment, col(Comment.idea_id) == Idea.id)
                .where(Comment.id == comment_id)
            ).first()

    def update(
        self, comment_id: str, shape: CommentUpdate, *, revision: int | None = None
    ) -> CommentPublic:
        """Changes the text of one's own comment.

        Raises:
            NotFound: the comment, or its idea, does not exist or was deleted.
            Forbidden: somebody else wrote it.
            LostUpdate: `revision` is given, but the comment has another one now.
        """
        with self._database.write() as session:
            row, idea = _found(session, comment_id)
            check_own(row.person_id, idea.board_id)
            _check_revision(row, revision)
            if row.body == shape.body:
                return _publics(session, [row], idea)[0]
            row.body, row.edited_at = shape.body, now()
            row.revision += 1
            return _stored(session, row, idea, "comment.changed")

    def delete(self, comment_id: str, *, revision: int | None = None) -> CommentPublic:
        """Hides the comment until `restore`, and returns it.

        Raises:
            NotFound: the comment, or its idea, does not exist or was deleted.
            Forbidden: somebody else wrote it, and the actor does not own the board.
            LostUpdate: `revision` is given, but the comment has another one now.
        """
        with self._database.write() as session:
            row, idea = _found(session, comment_id)
            check_may_delete(row.person_id, idea.board_id)
            _check_revision(row, revision)
            row.deleted_at = now()
            return _stored(session, row, idea, "comment.deleted")

    def restore(self, comment_id: str) -> CommentPublic:
        """Brings a deleted comment back, for as long as it is kept.

        Raises:
            NotFound: the comment, or its idea, does not exist any more.
            Forbidden: somebody else wrote it, and the actor does not own the board.
        """
        with self._database.write() as session:
            row, idea = _found(session, comment_id, deleted=True)
            check_may_delete(row.person_id, idea.board_id)
            if row.deleted_at is None:
                return _publics(session, [row], idea)[0]
            row.deleted_at = None
            return _stored(session, row, idea, "comment.created")

    def purge_before(self, moment: datetime) -> int:
        """Deletes for good what was deleted before this time; returns how many there were."""
        with self._database.write() as session:
            gone = session.exec(select(Comment.id).where(col(Comment.deleted_at) < moment)).all()
            if gone:
                forget_answers(session, gone)
                session.exec(delete(Comment).where(col(Comment.id).in_(gone)))
            return len(gone)


def _of(idea_id: str) -> Any:
    return select(Comment).where(Comment.idea_id == idea_id, col(Comment.deleted_at).is_(None))


def _found(session: Session, comment_id: str, *, deleted: bool = False) -> tuple[Comment, Idea]:
    row = session.get(Comment, comment_id)
    if row is None or (row.deleted_at is not None and not deleted):
        raise NotFound(
            Text("The comment %(comment_id)s does not exist or was deleted.", comment_id=comment_id)
        )
    return row, found(session, row.idea_id)


def _check_revision(row: Comment, revision: int | None) -> None:
    if revision is not None and revision != row.revision:
        raise LostUpdate(
            Text(
                "Somebody changed this comment since you read it. Read it again, then repeat your "
                "change."
            ),
            current_version=row.revision,
        )


def _stored(session: Session, row: Comment, idea: Idea, kind: str) -> CommentPublic:
    session.add(row)
    record(session, kind, idea.board_id, idea.id)
    return _publics(session, [row], idea)[0]


def _publics(session: Session, rows: Sequence[Comment], idea: Idea) -> list[CommentPublic]:
    names = authors(session, (row.person_id for row in rows))
    return [_public(row, names, idea.board_id) for row in rows]


def _public(row: Comment, names: Authors, board_id: str) -> CommentPublic:
    is_mine = is_own(row.person_id, board_id)
    return CommentPublic(
        **row.model_dump(include={"id", "idea_id", "body", "revision", "created_at", "edited_at"}),
        author=names.get(row.person_id),
        may_edit=is_mine,
        may_delete=is_mine or is_owner(board_id),
    )
