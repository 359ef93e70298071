"""Keeps what a change replaced, so that one undo restores it."""

from datetime import timedelta

from sqlmodel import Session, col, delete

from service.errors import NotFound
from service.messages import Text
from service.schemas.bulk import ChangePublic
from service.schemas.identity import now
from service.store.tables import Change

UNDO_PERIOD = timedelta(days=1)


def store_change(session: Session, change: Change) -> ChangePublic:
    session.exec(delete(Change).where(col(Change.created_at) < now() - UNDO_PERIOD))
    session.add(change)
    return public_change(change)


def found_change(session: Session, change_id: str) -> Change:
    change = session.get(Change, change_id)
    if change is None:
        raise NotFound(
            Text(
                "There is no change %(change_id)s to undo. Changes are kept for one day.",
                change_id=change_id,
            )
        )
    return change


def public_change(change: Change, put_back: list[str] | None = None) -> ChangePublic:
    return ChangePublic(
        **change.model_dump(include={"id", "operation", "created_at", "undone_at"}),
        changed=list(change.before),
        put_back=put_back,
    )
