"""Comparisons of two ideas, made by people and by the model."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import union_all
from sqlmodel import Session, col, select

from service.actor import acting_person_id
from service.errors import Conflict, InvalidInput, NotFound
from service.messages import Text
from service.schemas.fields import Judge, Outcome
from service.schemas.identity import new_id, now
from service.schemas.ranking import ComparisonCreate, ComparisonPublic
from service.store.authors import authors
from service.store.cursors import Key, Order, Page, PageOf
from service.store.database import Database
from service.store.ideas import live_board_id
from service.store.own_runs import OwnRuns
from service.store.ownership import check_may_delete
from service.store.tables import Comparison, Idea

_NEWEST = Order(
    "comparisons",
    Key(col(Comparison.created_at), datetime, descending=True),
    Key(col(Comparison.id), str),
)
EXCLUDED_STATUS = "archived"
# The model compares only the newest ideas of a larger board.
MOST_TEXTS = 1000


@dataclass(frozen=True, slots=True)
class Contender:
    """An idea that takes part in its board's ranking."""

    id: str
    title: str
    version: int


@dataclass(frozen=True, slots=True)
class ContenderText(Contender):
    body: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The model's answer about a pair; `probability` is that the first idea comes first."""

    board_id: str
    first_id: str
    first_version: int
    second_id: str
    second_version: int
    outcome: Outcome
    probability: float


class ComparisonStore:
    def __init__(self, database: Database, own: OwnRuns) -> None:
        self._database = database
        self._own = own

    def vote(
        self, board_id: str, shape: ComparisonCreate, *, ballot: str | None = None
    ) -> ComparisonPublic:
        """Stores a person's vote. `ballot` is the id that the caller chose for it.

        A second vote with the same ballot replaces the first one, so it counts once.

        Raises:
            NotFound: the board does not exist.
            InvalidInput: an idea is not on the board, is compared with itself, or never had the
                version.
            Conflict: the ballot belongs to two other ideas, or to somebody else.
        """
        if shape.first_id == shape.second_id:
            raise InvalidInput(
                Text("An idea cannot be compared with itself."), pointer="/second_id"
            )
        with self._database.write() as session:
            live_board_id(session, board_id)
            first = _on_board(session, board_id, shape.first_id, "/first_id")
            second = _on_board(session, board_id, shape.second_id, "/second_id")
            row = None if ballot is None else session.get(Comparison, ballot)
            if row is None:
                row = Comparison(
                    id=ballot or new_id(),
                    board_id=board_id,
                    first_id=first.id,
                    first_version=_version(first, shape.first_version, "/first_version"),
                    second_id=second.id,
                    second_version=_version(second, shape.second_version, "/second_version"),
                    outcome=shape.outcome,
                    by="people",
                )
            elif _is_of_others(row, first.id, second.id):
                raise Conflict(Text("This vote was about two other ideas. Load the page again."))
            row.outcome, row.created_at = shape.outcome, now()
            session.add(row)
            return _public(session, row)

    def add_verdict(self, run_id: str, verdict: Verdict) -> ComparisonPublic:
        """Stores the model's answer about a pair.

        Raises:
            NotFound: one of the ideas, or the run, was deleted for good meanwhile.
            LeaseLost: another server has ended the run.
        """
        compared = (verdict.first_id, verdict.second_id)
        with self._database.write() as session:
            self._own.check(session, run_id)
            there = set(session.exec(select(Idea.id).where(col(Idea.id).in_(compared))))
            for idea_id in compared:
                if idea_id not in there:
                    raise NotFound(
                        Text("The idea %(idea_id)s does not exist or was deleted.", idea_id=idea_id)
                    )
            row = Comparison(
                board_id=verdict.board_id,
                first_id=verdict.first_id,
                first_version=verdict.first_version,
                second_id=verdict.second_id,
                second_version=verdict.second_version,
                outcome=verdict.outcome,
                by="model",
                probability=verdict.probability,
                run_id=run_id,
            )
            session.add(row)
            return _public(session, row)

    def get(self, board_id: str, comparison_id: str) -> ComparisonPublic:
        with self._database.read() as session:
            live_board_id(session, board_id)
            return _public(session, _found(session, board_id, comparison_id))

    def delete(self, board_id: str, comparison_id: str) -> ComparisonPublic:
        """Deletes the comparison for good and returns it.

        Raises:
            NotFound: it does not exist.
            Forbidden: somebody else voted, and the actor does not own the board.
        """
        with self._database.write() as session:
            live_board_id(session, board_id)
            row = _found(session, board_id, comparison_id)
            if row.by == "people":
                check_may_delete(row.person_id, board_id)
            session.delete(row)
            return _public(session, row)

    def page(
        self, board_id: str, wanted: PageOf, *, by: Judge | None = None
    ) -> Page[ComparisonPublic]:
        """Returns the newest comparisons first, including those of deleted ideas."""
        statement = select(Comparison).where(Comparison.board_id == board_id)
        if by is not None:
            statement = statement.where(Comparison.by == by)
        with self._database.read() as session:
            live_board_id(session, board_id)
            page = _NEWEST.page(session, statement, wanted)
            return Page(_publics(session, page.items), page.cursor)

    def contenders(
        self, board_id: str, round_id: str | None = None, *, compared_by: Judge | None = None
    ) -> list[Contender]:
        """Returns the ideas that can be ranked, oldest first: not deleted, not archived. With
        `round_id`, only those of this writing round; with `compared_by`, those that were compared.
        """
        with self._database.read() as session:
            live_board_id(session, board_id)
            statement = _comparable(select(Idea.id, Idea.title, Idea.version), board_id)
            if round_id is not None:
                statement = statement.where(Idea.round_id == round_id)
            if compared_by is not None:
                statement = statement.where(col(Idea.id).in_(_compared(board_id, compared_by)))
            return [Contender(*row) for row in session.exec(statement.order_by(col(Idea.number)))]

    def texts(self, board_id: str) -> list[ContenderText]:
        """Returns the newest `MOST_TEXTS` ideas that can be ranked, with their texts."""
        with self._database.read() as session:
            statement = _comparable(select(Idea.id, Idea.title, Idea.version, Idea.body), board_id)
            newest = statement.order_by(col(Idea.number).desc()).limit(MOST_TEXTS)
            return [ContenderText(*row) for row in session.exec(newest)]

    def of_board(self, board_id: str, by: Judge) -> list[ComparisonPublic]:
        """Returns all comparisons of the board by this judge, oldest first."""
        with self._database.read() as session:
            rows = session.exec(
                select(Comparison)
                .where(Comparison.board_id == board_id, Comparison.by == by)
                .order_by(col(Comparison.created_at), col(Comparison.id))
            )
            return _publics(session, rows.all())


def _compared(board_id: str, by: Judge) -> Any:
    """Selects the ids of ideas that the judge compared, some more than once."""
    of_board = (Comparison.board_id == board_id, Comparison.by == by)
    firsts, seconds = select(Comparison.first_id), select(Comparison.second_id)
    return union_all(firsts.where(*of_board), seconds.where(*of_board))


def _is_of_others(row: Comparison, first_id: str, second_id: str) -> bool:
    """Whether a vote is about other ideas or by another person."""
    wanted = ("people", first_id, second_id, acting_person_id())
    return (row.by, row.first_id, row.second_id, row.person_id) != wanted


def of_run(session: Session, run_id: str) -> list[ComparisonPublic]:
    rows = session.exec(
        select(Comparison)
        .where(Comparison.run_id == run_id)
        .order_by(col(Comparison.created_at), col(Comparison.id))
    )
    return _publics(session, rows.all())


def _public(session: Session, row: Comparison) -> ComparisonPublic:
    return _publics(session, [row])[0]


def _publics(session: Session, rows: Sequence[Comparison]) -> list[ComparisonPublic]:
    names = authors(session, (row.person_id for row in rows))
    return [ComparisonPublic(**row.model_dump(), author=names.get(row.person_id)) for row in rows]


def _comparable(statement: Any, board_id: str) -> Any:
    return statement.where(
        Idea.board_id == board_id,
        col(Idea.deleted_at).is_(None),
        Idea.status != EXCLUDED_STATUS,
    )


def _on_board(session: Session, board_id: str, idea_id: str, pointer: str) -> Idea:
    idea = session.exec(
        select(Idea).where(
            Idea.id == idea_id, Idea.board_id == board_id, col(Idea.deleted_at).is_(None)
        )
    ).first()
    if idea is None:
        raise InvalidInput(
            Text("There is no idea %(idea_id)s on this board.", idea_id=idea_id), pointer=pointer
        )
    return idea


def _version(idea: Idea, version: int | None, pointer: str) -> int:
    if version is not None and version > idea.version:
        raise InvalidInput(
            Text("The idea %(id)s has no version %(version)s.", id=idea.id, version=version),
            pointer=pointer,
        )
    return version or idea.version


def _found(session: Session, board_id: str, comparison_id: str) -> Comparison:
    row = session.get(Comparison, comparison_id)
    if row is None or row.board_id != board_id:
        raise NotFound(
            Text(
                "There is no comparison %(comparison_id)s on this board.",
                comparison_id=comparison_id,
            )
        )
    return row
