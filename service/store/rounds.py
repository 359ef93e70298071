"""Writing rounds: starts, extends and ends them. `hidden_ideas` hides what is written in them."""

import hashlib
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select

from service.actor import ACTOR, Role, acting_person_id
from service.errors import Conflict, Forbidden, NotFound, PeopleFirst
from service.messages import Text
from service.schemas.ideas import IdeaPublic
from service.schemas.identity import now
from service.schemas.rounds import MOST_MINUTES, RoundCreate, RoundPublic
from service.store.cursors import Key, Order, Page, PageOf
from service.store.database import Database
from service.store.hidden_ideas import ALL_OF_THEM, OWN_TOO, is_open, look_again
from service.store.ideas import live_board_id
from service.store.limits import Limits
from service.store.public_ideas import publics
from service.store.tables import Board, Idea
from service.store.team_tables import WritingRound

# How far apart the clocks of several servers may be.
CLOCKS_DIFFER = timedelta(minutes=1)
_NEWEST = Order(
    "rounds",
    Key(col(WritingRound.created_at), datetime, descending=True),
    Key(col(WritingRound.id), str),
)


class RoundStore:
    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits

    def start(self, board_id: str, shape: RoundCreate) -> RoundPublic:
        """Starts a round.

        Raises:
            Conflict: one is going on already.
        """
        self._limits.check(topic=shape.topic)
        with self._database.write() as session:
            live_board_id(session, board_id)
            if _open_on(session, board_id) is not None:
                raise Conflict(
                    Text("A writing round is going on already. Join it, or wait until it ends.")
                )
            moment = now()
            row = WritingRound(
                board_id=board_id,
                topic=shape.topic,
                created_at=moment,
                ends_at=moment + timedelta(minutes=shape.minutes),
                named_at=None if shape.without_names else moment,
            )
            session.add(row)
            look_again(session)
            return _public(session, row)

    def get(self, board_id: str, round_id: str) -> RoundPublic:
        with self._database.read() as session:
            return _public(session, _found(session, board_id, round_id))

    def page(self, board_id: str, wanted: PageOf) -> Page[RoundPublic]:
        """Returns the board's rounds, newest first."""
        with self._database.read() as session:
            live_board_id(session, board_id)
            of_board = select(WritingRound).where(WritingRound.board_id == board_id)
            page = _NEWEST.page(session, of_board, wanted)
            return Page([_public(session, row) for row in page.items], page.cursor)

    def open_on(self, board_id: str) -> RoundPublic | None:
        """Returns the round that is going on."""
        with self._database.read() as session:
            row = _open_on(session, board_id)
            return None if row is None else _public(session, row)

    def ideas(self, board_id: str, round_id: str) -> list[IdeaPublic]:
        """Returns the ideas of the round that the acting person may see.

        They are shuffled, in the same way for everybody; while the round goes on, newest first.
        """
        with self._database.read() as session:
            row = _found(session, board_id, round_id)
            written = select(Idea).where(Idea.round_id == round_id, col(Idea.deleted_at).is_(None))
            newest = written.order_by(col(Idea.number).desc()).execution_options(**OWN_TOO)
            ideas = publics(session, session.exec(newest).all())
            return ideas if _is_open(row) else sorted(ideas, key=lambda one: _shuffled(row, one.id))

    def end(self, board_id: str, round_id: str) -> RoundPublic:
        """Ends a round early; one that is over stays as it is."""
        with self._database.write() as session:
            row = _found(session, board_id, round_id)
            _check_steering(row)
            if row.ended_at is None:
                row.ended_at = min(now(), row.ends_at)
                session.add(row)
                look_again(session)
            return _public(session, row)

    def extend(self, board_id: str, round_id: str, minutes: int) -> RoundPublic:
        """Moves the end of a round.

        Raises:
            Conflict: it is over.
        """
        with self._database.write() as session:
            row = _found(session, board_id, round_id)
            _check_steering(row)
            if not _is_open(row):
                raise Conflict(Text("This writing round is over. Start another one."))
            latest = now() + timedelta(minutes=MOST_MINUTES)
            row.ends_at = min(row.ends_at + timedelta(minutes=minutes), latest)
            session.add(row)
            return _public(session, row)

    def show_names(self, board_id: str, round_id: str) -> RoundPublic:
        """Shows who wrote what.

        Raises:
            Conflict: the round is going on.
        """
        with self._database.write() as session:
            row = _found(session, board_id, round_id)
            _check_steering(row)
            if _is_open(row):
                raise Conflict(Text("The names can be shown when the writing round is over."))
            if row.named_at is None:
                row.named_at = now()
                session.add(row)
            return _public(session, row)

    def end_due(self) -> datetime | None:
        """Stores the end of rounds whose time is up; returns when the next one ends.

        A round that begins later than now is from before the clock was set back. It begins anew, or its
        ideas would stay hidden for as long as the clock was ahead.
        """
        unended = select(WritingRound).where(col(WritingRound.ended_at).is_(None))
        with self._database.read() as session:
            ends = list(session.exec(unended))
        moment = now()
        if any(row.ends_at <= moment or _is_to_come(row, moment) for row in ends):
            with self._database.write() as session:
                for row in session.exec(unended):
                    if row.ends_at <= moment:
                        row.ended_at = row.ends_at
                    elif _is_to_come(row, moment):
                        length = row.ends_at - row.created_at
                        row.created_at, row.ends_at = moment, moment + length
                    session.add(row)
        return min((row.ends_at for row in ends if row.ends_at > moment), default=None)

    def waiting_for_people(self, board_id: str) -> bool:
        """Whether people are to write on the board before a model does."""
        with self._database.read() as session:
            board = session.get(Board, board_id)
            if board is None or not board.people_first:
                return False
            rounds = session.exec(select(WritingRound).where(WritingRound.board_id == board_id))
            are_open = [_is_open(row) for row in rounds]
            return all(are_open) or any(are_open)

    def check_people_first(self, board_id: str) -> None:
        """Raises: PeopleFirst if people are to write on the board before a model does."""
        if self.waiting_for_people(board_id):
            raise PeopleFirst(
                Text(
                    "People write first on this board. Brainstorming with the model opens when a "
                    "writing round has ended."
                )
            )


def _found(session: Session, board_id: str, round_id: str) -> WritingRound:
    live_board_id(session, board_id)
    row = session.get(WritingRound, round_id)
    if row is None or row.board_id != board_id:
        raise NotFound(
            Text("There is no writing round %(round_id)s on this board.", round_id=round_id)
        )
    return row


def _open_on(session: Session, board_id: str) -> WritingRound | None:
    of_board = select(WritingRound).where(WritingRound.board_id == board_id, *is_open(now()))
    return session.exec(of_board).first()


def _is_open(row: WritingRound) -> bool:
    return row.ended_at is None and row.ends_at > now()


def _is_to_come(row: WritingRound, moment: datetime) -> bool:
    return row.created_at > moment + CLOCKS_DIFFER


def _can_steer(row: WritingRound) -> bool:
    return row.person_id == acting_person_id() or ACTOR.get().role_on(row.board_id) == Role.OWNER


def _check_steering(row: WritingRound) -> None:
    if not _can_steer(row):
        raise Forbidden(
            Text("Only the person who started the writing round, or an owner, can do this.")
        )


def _public(session: Session, row: WritingRound) -> RoundPublic:
    is_going_on = _is_open(row)
    of_round = (Idea.round_id == row.id, col(Idea.deleted_at).is_(None))
    writer = func.coalesce(col(Idea.person_id), "")
    writers = select(func.count(func.distinct(writer))).select_from(Idea).where(*of_round)
    ideas = select(func.count()).select_from(Idea).where(*of_round)
    return RoundPublic(
        id=row.id,
        board_id=row.board_id,
        topic=row.topic,
        is_open=is_going_on,
        started_at=row.created_at,
        ends_at=row.ends_at,
        ended_at=None if is_going_on else row.ended_at or row.ends_at,
        names_hidden=is_going_on or row.named_at is None,
        can_steer=_can_steer(row),
        writers=session.scalar(writers.execution_options(**ALL_OF_THEM)) or 0,
        ideas=session.scalar(ideas.execution_options(**OWN_TOO)) or 0,
    )


def _shuffled(row: WritingRound, idea_id: str) -> bytes:
    return hashlib.sha256(f"{row.id} {idea_id}".encode()).digest()
