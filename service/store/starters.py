"""Stores boards that start with something: those made from a template, and the sample board."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from service.actor import Role
from service.schemas.archive import BoardRow, IdeaRow, RubricRow, VersionRow
from service.schemas.evaluation import RubricCreate
from service.schemas.ideas import BoardCreate, BoardPublic
from service.schemas.identity import now
from service.store.access import require
from service.store.boards import FIRST_NAME
from service.store.database import Database
from service.store.hidden_ideas import ALL_OF_THEM
from service.store.limits import Limits
from service.store.row_insertion import insert_ideas, insert_rows, places_of
from service.store.tables import Board, Idea, Rubric, Run


@dataclass(frozen=True, slots=True)
class SampleRows:
    board: BoardRow
    rubric: RubricRow
    ideas: Sequence[IdeaRow]
    versions: Sequence[VersionRow]


class StarterStore:
    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits

    def create(
        self,
        shape: BoardCreate,
        rubric: RubricCreate,
        rubric_id: Callable[[str], str],
        *,
        in_place_of: str | None = None,
    ) -> BoardPublic:
        """Creates a board with a rubric, whose id `rubric_id` computes from that of the board.

        The board `in_place_of` is changed instead, if nothing was done there yet. It keeps a name
        that somebody gave it.
        """
        self._limits.check(name=shape.name, goal=shape.goal)
        with self._database.write() as session:
            board = _unused(session, in_place_of)
            if board is None:
                board = Board(**shape.model_dump())
            else:
                board.name = shape.name if board.name == FIRST_NAME else board.name
                board.goal, board.updated_at = shape.goal, now()
            session.add(board)
            session.flush()
            row = Rubric(
                id=rubric_id(board.id), board_id=board.id, is_shown=True, **rubric.model_dump()
            )
            session.add(row)
            return BoardPublic.model_validate(board, from_attributes=True)

    def open_sample(self, rows: SampleRows) -> BoardPublic:
        """Adds everything in one transaction, unless the board is there or in the trash."""
        with self._database.write() as session:
            # To everybody who sees it, it is a board like any other.
            require(Role.EDITOR)
            board = session.get(Board, rows.board.id)
            if board is None:
                board = _add_sample(session, rows)
            elif board.deleted_at is not None:
                board.deleted_at = None
                session.add(board)
            return BoardPublic.model_validate(board, from_attributes=True)


def _add_sample(session: Session, rows: SampleRows) -> Board:
    board = Board(**rows.board.model_dump())
    session.add(board)
    session.flush()
    insert_ideas(session, rows.ideas, places_of(session, rows.ideas))
    insert_rows(session, "versions", rows.versions)
    insert_rows(session, "rubrics", [rows.rubric])
    return board


def _unused(session: Session, board_id: str | None) -> Board | None:
    """The board, if nobody has put anything on it or described it."""
    board = None if board_id is None else session.get(Board, board_id)
    if board is None or board.deleted_at is not None or board.goal:
        return None
    for table in (Idea, Run, Rubric):
        found = select(table.id).where(col(table.board_id) == board_id).limit(1)
        if session.exec(found.execution_options(**ALL_OF_THEM)).first() is not None:
            return None
    return board
