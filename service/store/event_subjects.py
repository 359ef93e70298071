"""What an activity is about, in the shapes that REST gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import Session, select

from service.schemas.evaluation import RubricPublic
from service.schemas.ideas import BoardPublic, IdeaPublic
from service.schemas.ranking import ComparisonPublic
from service.store.public_ideas import public as public_idea
from service.store.runs import public_run
from service.store.tables import Board, Comparison, Idea, Rubric, Run
from service.store.team_tables import Activity, Person

# What a list of runs leaves out, too; there can be a thousand evaluations.
_LEFT_OUT_OF_RUNS = {"prompts", "evaluations"}


@dataclass(frozen=True, slots=True)
class Event:
    """`parts` has the board and the subject by their names. `person` has an id and a name."""

    kind: str
    created_at: datetime
    parts: Mapping[str, Any] = field(default_factory=dict)
    person: tuple[str, str] | None = None
    path: str = ""

    @property
    def title(self) -> str:
        idea = self.parts.get("idea")
        return idea.title if isinstance(idea, IdeaPublic) else ""

    @property
    def board_name(self) -> str:
        board = self.parts.get("board")
        return board.name if isinstance(board, BoardPublic) else ""

    @property
    def board_path(self) -> str:
        board = self.parts.get("board")
        return f"/boards/{board.id}" if isinstance(board, BoardPublic) else ""


def event_of(session: Session, activity: Activity) -> Event:
    """Returns the activity with its subject as it is now.

    Of what was deleted for good, or is hidden until a writing round ends, only the id is there.
    """
    name = _NAMES.get(activity.kind.partition(".")[0], "")
    board = session.get(Board, activity.board_id)
    parts: dict[str, Any] = {"board": None}
    if board is not None:
        parts["board"] = BoardPublic.model_validate(board, from_attributes=True)
    if name:
        found = _READERS[name](session, activity.subject_id)
        parts[name] = {"id": activity.subject_id} if found is None else found
    person = session.get(Person, activity.person_id) if activity.person_id else None
    return Event(
        activity.kind,
        activity.created_at,
        parts,
        None if person is None else (person.id, person.name),
        _path(name, activity),
    )


def _path(name: str, activity: Activity) -> str:
    place = {"idea": "ideas", "run": "runs"}.get(name)
    return f"/boards/{activity.board_id}" if place is None else f"/{place}/{activity.subject_id}"


def _idea(session: Session, idea_id: str) -> Any:
    idea = session.exec(select(Idea).where(Idea.id == idea_id)).first()
    return None if idea is None else public_idea(session, idea)


def _run(session: Session, run_id: str) -> Any:
    run = session.get(Run, run_id)
    if run is None:
        return None
    return public_run(session, run).model_dump(mode="json", exclude=_LEFT_OUT_OF_RUNS)


def _comparison(session: Session, comparison_id: str) -> Any:
    row = session.get(Comparison, comparison_id)
    return None if row is None else ComparisonPublic.model_validate(row, from_attributes=True)


def _rubric(session: Session, rubric_id: str) -> Any:
    row = session.get(Rubric, rubric_id)
    return None if row is None else RubricPublic.model_validate(row, from_attributes=True)


# The first word of a kind -> what its subject is. Likes and comments name the idea that they are on.
_NAMES = {
    "idea": "idea",
    "like": "idea",
    "comment": "idea",
    "run": "run",
    "comparison": "comparison",
    "rubric": "rubric",
}
_READERS: Mapping[str, Callable[[Session, str], Any]] = {
    "idea": _idea,
    "run": _run,
    "comparison": _comparison,
    "rubric": _rubric,
}
