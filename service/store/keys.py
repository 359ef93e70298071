"""API keys and browser sessions: random tokens. Only their hashes are stored."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col, delete, func, or_, select, update

from service.errors import Conflict, NotFound
from service.messages import Text
from service.schemas.identity import now
from service.schemas.people import KEYS_CEILING, ScopeName
from service.signals import PEOPLE
from service.store.announcements import announce
from service.store.database import Database
from service.store.tables import ApiKey

PREFIX = "ip_"
SESSION_LIFE = timedelta(days=30)
# Whoever joined by a link has no password to come back with. Browsers keep a cookie no longer.
PERSON_SESSION_LIFE = timedelta(days=400)
# A browser that comes back meanwhile is told that its session ended, or that its person was removed.
ENDED_SESSION_LIFE = timedelta(days=30)


def new_token() -> str:
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class KeyStore:
    """A key or session of the person `person_id`; None means whoever runs the server."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        name: str,
        *,
        person_id: str | None = None,
        scope: ScopeName = "admin",
        expires_at: datetime | None = None,
    ) -> str:
        """Creates a key and returns its token, which cannot be read again."""
        return self.make(name, person_id=person_id, scope=scope, expires_at=expires_at)[1]

    def make(
        self,
        name: str,
        *,
        person_id: str | None = None,
        scope: ScopeName = "admin",
        expires_at: datetime | None = None,
    ) -> tuple[ApiKey, str]:
        """Creates a key; returns it with its token. Raises: Conflict if the person has too many."""
        token = PREFIX + new_token()
        key = ApiKey(
            kind="key",
            name=name,
            person_id=person_id,
            scope=scope,
            sha256=digest(token),
            expires_at=expires_at,
        )
        with self._database.write() as session:
            mine = (ApiKey.kind == "key", ApiKey.person_id == person_id)
            held = select(func.count()).where(*mine, *living())
            if person_id is not None and session.exec(held).one() >= KEYS_CEILING:
                raise Conflict(
                    Text("You have %(count)s keys. Revoke one of them first.", count=KEYS_CEILING)
                )
            session.add(key)
        return key, token

    def open_session(
        self,
        *,
        person_id: str | None = None,
        opened_with: ApiKey | None = None,
        instead_of: str | None = None,
    ) -> str:
        """Signs a browser in, and returns the token of its session, which lets through what the key does,
        and no longer than it. The session of the token `instead_of` is deleted.
        """
        token = PREFIX + new_token()
        ends = [now() + (SESSION_LIFE if person_id is None else PERSON_SESSION_LIFE)]
        if opened_with is not None and opened_with.expires_at is not None:
            ends.append(opened_with.expires_at)
        with self._database.write() as session:
            if instead_of is not None:
                session.exec(delete(ApiKey).where(*_is_session(instead_of)))
                announce(session, PEOPLE)
            session.add(
                ApiKey(
                    kind="session",
                    name="browser",
                    person_id=person_id,
                    sha256=digest(token),
                    opened_with=None if opened_with is None else opened_with.id,
                    scope="admin" if opened_with is None else opened_with.scope,
                    expires_at=min(ends),
                )
            )
        return token

    def find(self, token: str) -> ApiKey | None:
        """Returns the key or session of a token, valid or not."""
        # Looked up by its hash, so the time taken tells nothing about the token.
        with self._database.read() as session:
            return session.exec(select(ApiKey).where(ApiKey.sha256 == digest(token))).first()

    def all(self) -> list[ApiKey]:
        """Returns every key that was not revoked, expired ones too, oldest first."""
        is_key, is_kept = col(ApiKey.kind) == "key", col(ApiKey.revoked_at).is_(None)
        with self._database.read() as session:
            rows = session.exec(
                select(ApiKey).where(is_key, is_kept).order_by(col(ApiKey.created_at))
            )
            return list(rows)

    def of(self, person_id: str | None, kind: str = "key") -> list[ApiKey]:
        """Returns somebody's keys or sessions, oldest first."""
        with self._database.read() as session:
            rows = session.exec(
                select(ApiKey)
                .where(ApiKey.kind == kind, ApiKey.person_id == person_id, *living())
                .order_by(col(ApiKey.created_at))
            )
            return list(rows)

    def any(self) -> bool:
        """Whether whoever runs the server has a key."""
        with self._database.read() as session:
            is_owners = (ApiKey.kind == "key", col(ApiKey.person_id).is_(None))
            owners = select(func.count()).where(*is_owners, *living())
            return bool(session.scalar(owners))

    def revoke(self, key_id: str) -> None:
        """Revokes a key, and the sessions that were opened with it.

        Raises:
            NotFound: there is no such key.
        """
        with self._database.write() as session:
            key = session.get(ApiKey, key_id)
            if key is None or key.kind != "key":
                raise NotFound(
                    Text(
                        "There is no key %(key_id)s. `ideapool keys list` shows them.",
                        key_id=key_id,
                    )
                )
            key.revoked_at = now()
            session.add(key)
            opened = col(ApiKey.opened_with) == key_id
            if key.person_id is None:
                # Of sessions that are older than this column, it is not known who opened them.
                unknown = col(ApiKey.person_id).is_(None) & col(ApiKey.opened_with).is_(None)
                opened = or_(opened, unknown)
            session.exec(
                update(ApiKey)
                .where(col(ApiKey.kind) == "session", col(ApiKey.revoked_at).is_(None), opened)
                .values(revoked_at=now())
            )

    def revoke_own(self, person_id: str | None, key_id: str) -> None:
        """Revokes a key if it is that person's. Raises: NotFound."""
        if all(key.id != key_id for key in self.of(person_id)):
            raise NotFound(Text("You have no key %(key_id)s.", key_id=key_id))
        self.revoke(key_id)

    def revoke_all(self, person_id: str | None, *kinds: str) -> None:
        """Revokes somebody's keys, sessions or both."""
        with self._database.write() as session:
            session.exec(
                update(ApiKey)
                .where(col(ApiKey.person_id) == person_id, col(ApiKey.kind).in_(kinds))
                .where(col(ApiKey.revoked_at).is_(None))
                .values(revoked_at=now())
            )
            announce(session, PEOPLE)

    def revoke_session(self, token: str) -> None:
        """Ends the session of this token; an API key with this token stays valid."""
        with self._database.write() as session:
            session.exec(update(ApiKey).where(*_is_session(token)).values(revoked_at=now()))
            announce(session, PEOPLE)

    def purge_sessions(self, moment: datetime) -> int:
        """Deletes sessions that were over or revoked before this time; returns how many there were.

        Keys stay, so that an expired one can be told from a wrong one.
        """
        is_session = col(ApiKey.kind) == "session"
        is_over = or_(col(ApiKey.expires_at) < moment, col(ApiKey.revoked_at) < moment)
        with self._database.write() as session:
            return session.exec(delete(ApiKey).where(is_session, is_over)).rowcount


def _is_session(token: str) -> tuple[Any, ...]:
    return (col(ApiKey.sha256) == digest(token), col(ApiKey.kind) == "session")


def living() -> tuple[Any, ...]:
    """The conditions for keys and sessions that are neither revoked nor expired."""
    is_timely = or_(col(ApiKey.expires_at).is_(None), col(ApiKey.expires_at) > now())
    return (col(ApiKey.revoked_at).is_(None), is_timely)
