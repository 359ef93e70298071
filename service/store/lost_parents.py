"""Connects ideas to parents that were imported after them, or again after they were deleted for good."""

from collections.abc import Sequence
from functools import partial

from sqlmodel import Session, col, select, update

from service.store.batches import Batches, parts
from service.store.database import Database
from service.store.hidden_ideas import ALL_OF_THEM
from service.store.tables import Idea

_IS_BACK = col(Idea.lost_parent_id).in_(select(col(Idea.id)))


def connect_lost(database: Database, batches: Batches) -> None:
    """Raises: as `Batches.write`"""
    lost = select(Idea.id).where(col(Idea.lost_parent_id).is_not(None), _IS_BACK)
    with database.read() as session:
        found = session.exec(lost.execution_options(**ALL_OF_THEM)).all()
    batches.write(partial(_connect, idea_ids=part) for part in parts(found))


def _connect(session: Session, idea_ids: Sequence[str]) -> int:
    session.exec(
        update(Idea)
        .where(col(Idea.id).in_(idea_ids), _IS_BACK)
        .values(parent_id=Idea.lost_parent_id, lost_parent_id=None)
    )
    return 0
