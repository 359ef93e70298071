"""People: who they are, what they may do, and how one comes back."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, func, select, update

from service.actor import ACTOR, Actor, KeyScope, Role
from service.errors import Conflict, KeyExpired, NotFound, PersonRemoved, StorageUnavailable
from service.messages import Text
from service.schemas.identity import now
from service.schemas.people import (
    BoardRole,
    MePublic,
    PersonDetail,
    PersonPublic,
    PersonUpdate,
    RoleName,
    role_name,
    role_of,
    scope_name,
    scope_of,
)
from service.store.authors import authors
from service.store.cursors import EVERYTHING, Key, Order, Page, PageOf
from service.store.database import Database
from service.store.hidden_ideas import ALL_OF_THEM
from service.store.keys import digest, living
from service.store.tables import ApiKey, Board
from service.store.team_tables import Invitation, Membership, Person

# The times of the last use are this precise, so that not every request writes.
SEEN_EVERY = timedelta(minutes=5)
_FIRST = Order("people", Key(col(Person.created_at), datetime), Key(col(Person.id), str))


class PersonStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def names(self, ids: Iterable[str | None]) -> dict[str, str]:
        """Returns the names of these people by their ids, in one query; removed people have one too."""
        with self._database.read() as session:
            return {one.id: one.name for one in authors(session, ids).values()}

    def any(self) -> bool:
        """Whether somebody was invited or has a name, so that pages show people."""
        with self._database.read() as session:
            first = select(Person.id).limit(1)
            return (
                session.exec(first).first() is not None
                or session.exec(select(Invitation.id).limit(1)).first() is not None
            )

    def by_token(self, token: str) -> Actor | None:
        """Returns whose key or session this is; None if it is not valid.

        A key that no person has acts as the owner, within its scope.

        Raises:
            PersonRemoved: it was a person's who has been removed.
            KeyExpired: the time of the key is over.
        """
        # Looked up by its hash, so the time taken tells nothing about the token.
        with self._database.read() as session:
            rows: Any = session.exec(
                select(ApiKey, Person, Membership)
                .outerjoin(Person, col(Person.id) == ApiKey.person_id)
                .outerjoin(Membership, col(Membership.person_id) == ApiKey.person_id)
                .where(ApiKey.sha256 == digest(token)),
                execution_options=ALL_OF_THEM,
            ).all()
        if not rows:
            return None
        key, person, _ = rows[0]
        if person is not None and person.removed_at is not None:
            raise _removed()
        if not _is_alive(key):
            return None
        self._mark_use(key, person)
        scope = scope_of(key.scope)
        if person is None:
            return Actor(role=Role.OWNER, scope=scope)
        memberships = [membership for *_, membership in rows if membership is not None]
        return _actor(person, memberships, scope)

    def by_external_name(self, external_name: str, first_role: RoleName) -> Actor:
        """Returns the person whom a trusted proxy calls so; makes them at their first visit.

        Raises:
            PersonRemoved: that person has been removed.
        """
        with self._database.read() as session:
            rows: Any = session.exec(
                select(Person, Membership)
                .outerjoin(Membership, col(Membership.person_id) == Person.id)
                .where(Person.external_name == external_name),
                execution_options=ALL_OF_THEM,
            ).all()
        if rows:
            person = rows[0][0]
            if person.removed_at is not None:
                raise _removed()
            self._mark_use(None, person)
            return _actor(person, [membership for _, membership in rows if membership is not None])
        return self._first_visit(external_name, first_role)

    def _first_visit(self, external_name: str, first_role: RoleName) -> Actor:
        with self._database.write() as session:
            # Several requests of one page may be the first.
            known = select(Person).where(Person.external_name == external_name)
            person = session.exec(known).first()
            if person is not None:
                held = select(Membership).where(Membership.person_id == person.id)
                return _actor(person, session.exec(held).all())
            person = add_person(session, external_name[:60])
            person.external_name, person.seen_at = external_name, now()
            role = role_of(first_role)
            membership = Membership(person_id=person.id, role=role)
            session.add(membership)
            return _actor(person, [membership])

    def _mark_use(self, key: ApiKey | None, person: Person | None) -> None:
        moment = now()
        statements: list[Any] = []
        if key is not None and _is_old(key.used_at, moment):
            used = update(ApiKey).where(col(ApiKey.id) == key.id)
            statements.append(used.values(used_at=moment))
        if person is not None and _is_old(person.seen_at, moment):
            seen = update(Person).where(col(Person.id) == person.id)
            statements.append(seen.values(seen_at=moment))
        if not statements:
            return
        # Whoever only reads can go on while nothing can be written.
        with suppress(StorageUnavailable), self._database.write() as session:
            for statement in statements:
                session.exec(statement)

    def get(self, person_id: str) -> PersonDetail:
        with self._database.read() as session:
            return _details(session, [_found(session, person_id)])[0]

    def page(self, wanted: PageOf = EVERYTHING) -> Page[PersonDetail]:
        """Returns people, removed ones too, first come first."""
        with self._database.read() as session:
            page = _FIRST.page(session, select(Person), wanted)
            return Page(_details(session, page.items), page.cursor)

    def me(self) -> MePublic:
        """Returns who acts, and what they may do."""
        actor = ACTOR.get()
        name = self.names([actor.person_id]).get(actor.person_id or "", actor.name)
        return MePublic(
            person=PersonPublic(id=actor.person_id, name=name) if actor.person_id else None,
            role=None if actor.role is None else role_name(actor.role),
            boards=[
                BoardRole(board_id=board_id, role=role_name(role))
                for board_id, role in actor.board_roles.items()
            ],
            scope=scope_name(actor.scope),
        )

    def rename_me(self, name: str) -> MePublic:
        """Raises: Conflict if whoever acts has no name."""
        person_id = ACTOR.get().person_id
        if person_id is None:
            raise Conflict(Text("Only people have names; this key belongs to nobody."))
        self.rename(person_id, name)
        return self.me()

    def rename(self, person_id: str, name: str) -> PersonDetail:
        with self._database.write() as session:
            person = _found(session, person_id)
            if person.name != name:
                person.name = free_name(session, name, besides=person.id)
            session.add(person)
            session.flush()
            return _details(session, [person])[0]

    def update(self, person_id: str, shape: PersonUpdate) -> PersonDetail:
        """Changes the name and the roles that the shape sets.

        Raises:
            NotFound: the person or a board does not exist.
            Conflict: owners would take away their own role.
        """
        with self._database.write() as session:
            person = _found(session, person_id)
            if shape.name is not None and shape.name != person.name:
                person.name = free_name(session, shape.name, besides=person.id)
                session.add(person)
            if "role" in shape.model_fields_set:
                _refuse_own_role(person_id, shape.role)
                _set_role(session, person_id, "", shape.role)
            for board_id, role in shape.boards.items():
                if role is not None and session.get(Board, board_id) is None:
                    raise NotFound(Text("There is no board %(board_id)s.", board_id=board_id))
                _set_role(session, person_id, board_id, role)
            session.flush()
            return _details(session, [person])[0]

    def remove(self, person_id: str) -> PersonDetail:
        """Takes away all that the person may do; what they wrote keeps their name.

        Raises:
            Conflict: owners would remove themselves.
        """
        if person_id == ACTOR.get().person_id:
            raise Conflict(Text("You cannot remove yourself. Another owner can."))
        with self._database.write() as session:
            person = _found(session, person_id)
            person.removed_at = person.removed_at or now()
            session.add(person)
            session.exec(
                update(ApiKey)
                .where(col(ApiKey.person_id) == person_id, col(ApiKey.revoked_at).is_(None))
                .values(revoked_at=now())
            )
            session.flush()
            return _details(session, [person])[0]

    def restore(self, person_id: str) -> PersonDetail:
        """Lets a removed person act again; their keys and sessions stay revoked."""
        with self._database.write() as session:
            person = _found(session, person_id)
            person.removed_at = None
            session.add(person)
            session.flush()
            return _details(session, [person])[0]


def _is_alive(key: ApiKey) -> bool:
    """Raises: KeyExpired for a key; the page to sign in says it of a session."""
    if key.revoked_at is not None:
        return False
    if key.expires_at is None or key.expires_at > now():
        return True
    if key.kind == "key":
        raise KeyExpired(
            Text(
                "This key expired on %(day)s. Make a new one, or ask whoever gave it to you.",
                day=f"{key.expires_at:%Y-%m-%d}",
            )
        )
    return False


def _is_old(seen: datetime | None, moment: datetime) -> bool:
    # A time to come is from before the clock was set back.
    return seen is None or not moment - SEEN_EVERY <= seen <= moment


def add_person(session: Session, name: str) -> Person:
    person = Person(name=free_name(session, name))
    session.add(person)
    session.flush()
    return person


def free_name(session: Session, name: str, *, besides: str = "") -> str:
    """The name, or the name with a number if somebody else has it."""
    names = session.exec(select(Person.name).where(Person.id != besides))
    taken = {one.casefold() for one in names}
    number, free = 1, name
    while free.casefold() in taken:
        number += 1
        free = f"{name} ({number})"
    return free


def give_role(session: Session, person_id: str, board_id: str, role: int) -> None:
    """Gives the person a role; a higher one that they have there already stays."""
    there = session.get(Membership, (person_id, board_id))
    if there is None:
        session.add(Membership(person_id=person_id, board_id=board_id, role=role))
    elif there.role < role:
        there.role = role
        session.add(there)


def _set_role(session: Session, person_id: str, board_id: str, role: RoleName | None) -> None:
    there = session.get(Membership, (person_id, board_id))
    if role is None:
        if there is not None:
            session.delete(there)
        return
    row = there or Membership(person_id=person_id, board_id=board_id, role=0)
    row.role = role_of(role)
    session.add(row)


def _refuse_own_role(person_id: str, role: RoleName | None) -> None:
    if person_id == ACTOR.get().person_id and role != "owner":
        raise Conflict(Text("You cannot take away your own role. Another owner can."))


def _actor(
    person: Person, memberships: Sequence[Membership], scope: KeyScope = KeyScope.ADMIN
) -> Actor:
    roles = {one.board_id: Role(one.role) for one in memberships}
    return Actor(person.id, person.name, roles.pop("", None), roles, scope)


def _found(session: Session, person_id: str) -> Person:
    person = session.get(Person, person_id)
    if person is None:
        raise NotFound(Text("There is no person %(person_id)s.", person_id=person_id))
    return person


def _removed() -> PersonRemoved:
    return PersonRemoved(
        Text("An owner removed you from this Ideapool. Ask them for a new invitation.")
    )


def _details(session: Session, people: Sequence[Person]) -> list[PersonDetail]:
    ids = [person.id for person in people]
    memberships: dict[str, list[Membership]] = {person_id: [] for person_id in ids}
    for row in session.exec(select(Membership).where(col(Membership.person_id).in_(ids))):
        memberships[row.person_id].append(row)
    counts = _key_counts(session, ids)
    return [
        PersonDetail(
            **person.model_dump(),
            role=next(
                (role_name(one.role) for one in memberships[person.id] if not one.board_id), None
            ),
            boards=[
                BoardRole(board_id=one.board_id, role=role_name(one.role))
                for one in memberships[person.id]
                if one.board_id
            ],
            sessions=counts.get((person.id, "session"), 0),
            keys=counts.get((person.id, "key"), 0),
        )
        for person in people
    ]


def _key_counts(session: Session, person_ids: Sequence[str]) -> dict[tuple[str | None, str], int]:
    rows = session.exec(
        select(ApiKey.person_id, ApiKey.kind, func.count())
        .where(col(ApiKey.person_id).in_(person_ids), *living())
        .group_by(col(ApiKey.person_id), col(ApiKey.kind))
    )
    return {(person_id, kind): count for person_id, kind, count in rows}
