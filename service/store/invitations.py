"""Invitation links: who has one becomes a person, or gets a role. Only hashes of tokens are stored."""

from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, or_, select

from service.actor import ACTOR
from service.errors import InvitationGone, NotFound
from service.messages import Text
from service.schemas.identity import now
from service.schemas.people import (
    InvitationCreate,
    InvitationPublic,
    role_name,
    role_of,
)
from service.store.authors import authors
from service.store.cursors import EVERYTHING, Key, Order, Page, PageOf
from service.store.database import Database
from service.store.hidden_ideas import ALL_OF_THEM
from service.store.keys import digest, new_token
from service.store.people import add_person, give_role
from service.store.tables import Board
from service.store.team_tables import Invitation

_NEWEST = Order(
    "invitations",
    Key(col(Invitation.created_at), datetime, descending=True),
    Key(col(Invitation.id), str),
)


class InvitationStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, shape: InvitationCreate) -> tuple[InvitationPublic, str]:
        """Returns the invitation and its token, which cannot be read again.

        Raises: NotFound for an unknown board.
        """
        token = new_token()
        with self._database.write() as session:
            if shape.board_id is not None:
                _check_board(session, shape.board_id)
            row = Invitation(
                sha256=digest(token),
                board_id=shape.board_id or "",
                role=role_of(shape.role),
                expires_at=None if shape.days is None else now() + timedelta(days=shape.days),
            )
            session.add(row)
            session.flush()
            return _publics(session, [row])[0], token

    def page(self, wanted: PageOf = EVERYTHING) -> Page[InvitationPublic]:
        """Returns the invitations that can still be used, newest first."""
        statement = select(Invitation).where(
            col(Invitation.withdrawn_at).is_(None),
            or_(col(Invitation.expires_at).is_(None), col(Invitation.expires_at) > now()),
        )
        with self._database.read() as session:
            page = _NEWEST.page(session, statement, wanted)
            return Page(_publics(session, page.items), page.cursor)

    def withdraw(self, invitation_id: str) -> None:
        """Ends the link; whoever joined by it stays. Raises: NotFound."""
        with self._database.write() as session:
            row = session.get(Invitation, invitation_id)
            if row is None:
                raise NotFound(
                    Text("There is no invitation %(invitation_id)s.", invitation_id=invitation_id)
                )
            row.withdrawn_at = row.withdrawn_at or now()
            session.add(row)

    def by_token(self, token: str) -> tuple[InvitationPublic, str]:
        """Returns the invitation and the name of its board, which is empty for every board.

        Raises:
            NotFound: there never was such an invitation.
            InvitationGone: it expired or was withdrawn, or its board was deleted.
        """
        with self._database.read() as session:
            row = _usable(session, token)
            board = _board(session, row.board_id)
            return _publics(session, [row])[0], board.name if board else ""

    def join(self, token: str, name: str) -> tuple[str, str]:
        """Gives the acting person the role of the invitation, or somebody new with that name.

        Returns the ids of the person and of the board, which is empty for every board.

        Raises: NotFound, InvitationGone as `by_token`.
        """
        person_id = ACTOR.get().person_id
        with self._database.write() as session:
            row = _usable(session, token)
            if person_id is None:
                person_id = add_person(session, name).id
            give_role(session, person_id, row.board_id, row.role)
            row.uses += 1
            session.add(row)
            return person_id, row.board_id


def _usable(session: Session, token: str) -> Invitation:
    row = session.exec(select(Invitation).where(Invitation.sha256 == digest(token))).first()
    if row is None:
        raise NotFound(Text("There is no such invitation. Check that the whole link was copied."))
    if row.withdrawn_at is not None:
        raise InvitationGone(
            Text("This invitation was withdrawn. Ask whoever sent it for a new one.")
        )
    if row.expires_at is not None and row.expires_at <= now():
        raise InvitationGone(
            Text("This invitation has expired. Ask whoever sent it for a new one.")
        )
    if row.board_id:
        _check_board(session, row.board_id)
    return row


def _board(session: Session, board_id: str) -> Board | None:
    # Whoever is invited has no role there yet.
    return session.get(Board, board_id, execution_options=ALL_OF_THEM)


def _check_board(session: Session, board_id: str) -> None:
    board = _board(session, board_id)
    if board is None or board.deleted_at is not None:
        raise NotFound(Text("There is no board %(board_id)s.", board_id=board_id))


def _publics(session: Session, rows: list[Any]) -> list[InvitationPublic]:
    names = authors(session, (row.person_id for row in rows))
    return [
        InvitationPublic(
            **row.model_dump(include={"id", "uses", "created_at", "expires_at"}),
            board_id=row.board_id or None,
            role=role_name(row.role),
            invited_by=names.get(row.person_id),
        )
        for row in rows
    ]
