"""Topics that a transaction announces when it is committed, beside the boards that it changes."""

from sqlmodel import Session

_ANNOUNCED = "announced_topics"


def announce(session: Session, topic: str) -> None:
    session.info.setdefault(_ANNOUNCED, set()).add(topic)


def announced(session: Session) -> set[str]:
    return set(session.info.get(_ANNOUNCED, ()))


def run_topic(run_id: str) -> str:
    """Of what a run does, for those who watch it at another server."""
    return f"run {run_id}"


def replica_topic(replica_id: str) -> str:
    """Of what the server with this id is asked to do."""
    return f"replica {replica_id}"
