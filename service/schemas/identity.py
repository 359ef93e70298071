"""Ids and times of what is stored."""

from datetime import UTC, datetime
from uuid import uuid4


def now() -> datetime:
    return datetime.now(UTC)


def new_id() -> str:
    return str(uuid4())
