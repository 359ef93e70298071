"""Makes the ids and times of stored rows."""

from datetime import UTC, datetime
from uuid import uuid4


def now() -> datetime:
    return datetime.now(UTC)


def new_id() -> str:
    return str(uuid4())
