"""Answers to requests that came with an `Idempotency-Key`, so that a repeated request gets them again.

An answer is stored in the transaction of what the request changed: either both last or neither.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from sqlmodel import Session, col, delete, or_, update

from service.errors import IdempotencyKeyReused, RequestInProgress
from service.messages import Text
from service.schemas.identity import now
from service.store.database import Database
from service.store.dialects.expressions import position_of
from service.store.tables import KeyedAnswer

LIFE = timedelta(hours=24)
# The first request is usually done by then.
RETRY_AFTER_S = 1
# The most characters of a body that are kept; the largest answers of the usual limits have a third.
BODY_LIMIT = 1024 * 1024


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A caller's key, and the request that it was sent with; both are SHA-256 in hex.

    `replaces` is the failed run that the same request started before, if there is one.
    """

    id: str
    fingerprint: str
    replaces: str | None = None

    @classmethod
    def of(cls, caller: str, key: str, request: Sequence[bytes]) -> Self:
        """`caller` is the token that the request came with, `request` the parts that identify it."""
        return cls(_digest([caller.encode(), key.encode()]), _digest(request))


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str


class KeyedAnswerStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, key: RequestKey) -> KeyedAnswer | None:
        """Returns what this request was answered with; None if it was not, or longer ago than `LIFE`.

        Raises:
            IdempotencyKeyReused: the caller sent another request with this key.
        """
        with self._database.read() as session:
            row = session.get(KeyedAnswer, key.id)
        if row is None or row.created_at < now() - LIFE:
            return None
        if row.fingerprint != key.fingerprint:
            raise IdempotencyKeyReused(
                Text(
                    "Another request was sent with this Idempotency-Key. Use a new key for a new "
                    "request; only an exact repetition has the same one."
                )
            )
        return row

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is written within the block is stored with its answer, or not at all."""
        with self._database.joined():
            yield

    def keep(self, key: RequestKey, answer: Answer) -> None:
        """Raises: RequestInProgress if another server has answered the request meanwhile."""
        body = answer.body if len(answer.body) <= BODY_LIMIT else None
        with self._database.write() as session:
            _check_unanswered(session, key)
            session.merge(
                KeyedAnswer(
                    id=key.id,
                    fingerprint=key.fingerprint,
                    status=answer.status,
                    headers=answer.headers,
                    body=body,
                )
            )

    def purge_expired(self) -> int:
        """Deletes the answers that are older than `LIFE`; returns how many there were."""
        with self._database.write() as session:
            expired = col(KeyedAnswer.created_at) < now() - LIFE
            return int(session.exec(delete(KeyedAnswer).where(expired)).rowcount)


def keep_run(session: Session, key: RequestKey, run_id: str) -> None:
    """Stores within the caller's transaction that the request started this run.

    Raises:
        RequestInProgress: another server has started one for it meanwhile.
    """
    _check_unanswered(session, key)
    session.merge(KeyedAnswer(id=key.id, fingerprint=key.fingerprint, run_id=run_id))


def _check_unanswered(session: Session, key: RequestKey) -> None:
    row = session.get(KeyedAnswer, key.id)
    if row is None or row.created_at < now() - LIFE:
        return
    if row.run_id is None or row.run_id != key.replaces:
        raise in_progress()


def in_progress() -> RequestInProgress:
    return RequestInProgress(
        Text(
            "The first request with this Idempotency-Key is still being answered. Send it again in a "
            "moment."
        ),
        retry_after_s=RETRY_AFTER_S,
    )


def forget_answers(session: Session, ids: Sequence[str]) -> None:
    """Removes the bodies of the answers that name something with one of these ids."""
    names_one = or_(*(position_of(one, col(KeyedAnswer.body)) > 0 for one in ids))
    session.exec(update(KeyedAnswer).where(names_one).values(body=None))


def _digest(parts: Sequence[bytes]) -> str:
    whole = hashlib.sha256()
    for part in parts:
        # With its length, so that no two lists of parts look the same.
        whole.update(len(part).to_bytes(8) + part)
    return whole.hexdigest()
