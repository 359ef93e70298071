"""API keys and browser sessions: random tokens. Only their hashes are stored."""

import hashlib
import secrets
from datetime import timedelta

from sqlmodel import col, func, select, update

from service.errors import NotFound
from service.messages import Text
from service.schemas.identity import now
from service.store.database import Database
from service.store.tables import ApiKey

PREFIX = "ip_"
SESSION_LIFE = timedelta(days=30)


class KeyStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, *, kind: str = "key") -> str:
        """Creates a key and returns its token, which cannot be read again."""
        token = PREFIX + secrets.token_urlsafe(32)
        with self._database.write() as session:
            session.add(
                ApiKey(
                    kind=kind,
                    name=name,
                    sha256=digest(token),
                    expires_at=now() + SESSION_LIFE if kind == "session" else None,
                )
            )
        return token

    def is_valid(self, token: str) -> bool:
        # Looked up by its hash, so the time taken tells nothing about the token.
        with self._database.read() as session:
            key = session.exec(select(ApiKey).where(ApiKey.sha256 == digest(token))).first()
        return (
            key is not None
            and key.revoked_at is None
            and (key.expires_at is None or key.expires_at > now())
        )

    def all(self) -> list[ApiKey]:
        with self._database.read() as session:
            rows = session.exec(
                select(ApiKey)
                .where(ApiKey.kind == "key", col(ApiKey.revoked_at).is_(None))
                .order_by(col(ApiKey.created_at))
            )
            return list(rows)

    def any(self) -> bool:
        with self._database.read() as session:
            return bool(
                session.scalar(
                    select(func.count())
                    .select_from(ApiKey)
                    .where(ApiKey.kind == "key", col(ApiKey.revoked_at).is_(None))
                )
            )

    def revoke(self, key_id: str) -> None:
        """Revokes a key and every browser session, because its holder may have opened them.

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
            session.exec(
                update(ApiKey)
                .where(col(ApiKey.kind) == "session", col(ApiKey.revoked_at).is_(None))
                .values(revoked_at=now())
            )

    def revoke_session(self, token: str) -> None:
        """Ends the session of this token; an API key with this token stays valid."""
        with self._database.write() as session:
            session.exec(
                update(ApiKey)
                .where(col(ApiKey.sha256) == digest(token), col(ApiKey.kind) == "session")
                .values(revoked_at=now())
            )


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
