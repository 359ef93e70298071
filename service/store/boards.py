"""Creates, changes, deletes and lists boards."""

from datetime import datetime

from sqlmodel import Session, and_, col, func, select

from service.errors import Conflict, NotFound
from service.messages import Text
from service.schemas.boards import BoardOverview
from service.schemas.ideas import BoardCreate, BoardPublic, BoardUpdate
from service.schemas.identity import now
from service.store.cursors import EVERYTHING, Key, Order, Page, PageOf
from service.store.database import Database
from service.store.limits import Limits
from service.store.tables import Board, Idea

# Of the board that an empty database gets.
FIRST_NAME = "My ideas"
_OLDEST = Order("boards", Key(col(Board.created_at), datetime), Key(col(Board.id), str))
_LAST_DELETED = Order(
    "deleted-boards",
    Key(col(Board.deleted_at), datetime, descending=True),
    Key(col(Board.id), str),
)


class BoardStore:
    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits

    def ensure_one(self) -> BoardPublic:
        """Returns the oldest board, and creates one on an empty database."""
        with self._database.write() as session:
            board = _oldest(session)
            if board is None:
                board = Board(name=FIRST_NAME)
                session.add(board)
            return BoardPublic.model_validate(board, from_attributes=True)

    def all(self) -> list[BoardPublic]:
        with self._database.read() as session:
            rows = session.exec(
                select(Board).where(col(Board.deleted_at).is_(None)).order_by(col(Board.created_at))
            )
            return [BoardPublic.model_validate(row, from_attributes=True) for row in rows]

    def get(self, board_id: str) -> BoardPublic:
        with self._database.read() as session:
            return BoardPublic.model_validate(_found(session, board_id), from_attributes=True)

    def default(self) -> BoardPublic:
        with self._database.read() as session:
            board = _oldest(session)
            if board is None:
                raise NotFound(Text("There is no board. Create one first."))
            return BoardPublic.model_validate(board, from_attributes=True)

    def create(self, shape: BoardCreate) -> BoardPublic:
        self._limits.check(name=shape.name, goal=shape.goal)
        with self._database.write() as session:
            board = Board(**shape.model_dump())
            session.add(board)
            return BoardPublic.model_validate(board, from_attributes=True)

    def update(self, board_id: str, shape: BoardUpdate) -> BoardPublic:
        self._limits.check(name=shape.name, goal=shape.goal)
        with self._database.write() as session:
            board = _found(session, board_id)
            for name, value in shape.model_dump(exclude_none=True).items():
                setattr(board, name, value)
            board.updated_at = now()
            session.add(board)
            return BoardPublic.model_validate(board, from_attributes=True)

    def delete(self, board_id: str) -> None:
        """Hides the board and its ideas until `restore`.

        Raises:
            Conflict: it is the only board.
        """
        with self._database.write() as session:
            board = _found(session, board_id)
            others = select(Board).where(col(Board.deleted_at).is_(None), Board.id != board_id)
            if session.exec(others.limit(1)).first() is None:
                raise Conflict(
                    Text("This is the only board. Create another one before you delete it.")
                )
            board.deleted_at = now()
            session.add(board)

    def restore(self, board_id: str) -> BoardPublic:
        with self._database.write() as session:
            board = _found(session, board_id, deleted=True)
            board.deleted_at = None
            session.add(board)
            return BoardPublic.model_validate(board, from_attributes=True)

    def counts(self) -> dict[str, int]:
        """Counts the ideas of each board, by the board's id."""
        with self._database.read() as session:
            rows = session.exec(
                select(Idea.board_id, func.count())
                .where(col(Idea.deleted_at).is_(None))
                .group_by(col(Idea.board_id))
            )
            return dict(rows.all())

    def overview(self, *, deleted: bool = False) -> list[BoardOverview]:
        """Returns all boards in the order of `overview_page`."""
        return self.overview_page(EVERYTHING, deleted=deleted).items

    def overview_page(self, wanted: PageOf, *, deleted: bool = False) -> Page[BoardOverview]:
        """Returns boards with their counts and last changes, oldest first.

        With `deleted` these are the deleted boards, most recently deleted first.
        """
        is_deleted = col(Board.deleted_at).is_not(None)
        order = _LAST_DELETED if deleted else _OLDEST
        statement = (
            select(
                Board,
                func.count(col(Idea.number)),
                func.count(col(Idea.number)).filter(col(Idea.status) == "archived"),
                func.max(col(Idea.updated_at)),
            )
            .join(
                Idea,
                and_(col(Idea.board_id) == Board.id, col(Idea.deleted_at).is_(None)),
                isouter=True,
            )
            .where(is_deleted if deleted else ~is_deleted)
            .group_by(col(Board.id))
        )
        with self._database.read() as session:
            page = order.page(session, statement, wanted)
            items = [
                BoardOverview(
                    **board.model_dump(),
                    ideas=ideas,
                    archived=archived,
                    changed_at=max(filter(None, (board.updated_at, changed_at))),
                )
                for board, ideas, archived, changed_at in page.items
            ]
            return Page(items, page.cursor)


def _oldest(session: Session) -> Board | None:
    return session.exec(
        select(Board)
        .where(col(Board.deleted_at).is_(None))
        .order_by(col(Board.created_at))
        .limit(1)
    ).first()


def _found(session: Session, board_id: str, *, deleted: bool = False) -> Board:
    board = session.get(Board, board_id)
    if board is None or (board.deleted_at is not None and not deleted):
        raise NotFound(Text("There is no board %(board_id)s.", board_id=board_id))
    return board
