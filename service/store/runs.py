"""Runs, their suggestions and evaluations, and which of these people keep."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select, update

from service.database import Database
from service.errors import Conflict, NotFound
from service.fields import RunKind, RunStatus
from service.models import Board, Evaluation, Idea, Run, Suggestion, now
from service.shapes import (
    EvaluationPublic,
    IdeaCreate,
    IdeaPublic,
    RunPublic,
    SuggestionPublic,
)
from service.store.comparisons import of_run
from service.store.ideas import IdeaStore

UNFINISHED = ("queued", "running")


@dataclass(frozen=True, slots=True)
class NewRun:
    kind: RunKind
    request: dict[str, Any]
    seed: int
    board_id: str | None = None
    idea_id: str | None = None
    idea_version: int | None = None


@dataclass(frozen=True, slots=True)
class Provenance:
    """Which model answered what; hashes are SHA-256 in hex."""

    model: str
    weights_sha256: str
    adapter_sha256: str | None


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended. `result` is the answer in the API's form, if there is one."""

    status: RunStatus
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    prompts: list[Any] | None = None
    usage: dict[str, Any] | None = None
    timing: dict[str, Any] | None = None


class RunStore:
    def __init__(self, database: Database, ideas: IdeaStore) -> None:
        self._database = database
        self._ideas = ideas

    def create(self, new: NewRun) -> RunPublic:
        with self._database.write() as session:
            run = Run(
                kind=new.kind,
                request=new.request,
                seed=new.seed,
                board_id=new.board_id,
                idea_id=new.idea_id,
                idea_version=new.idea_version,
            )
            session.add(run)
            session.flush()
            return public_run(session, run)

    def start(self, run_id: str, provenance: Provenance) -> None:
        with self._database.write() as session:
            run = run_in(session, run_id)
            run.status, run.started_at = "running", now()
            run.model = provenance.model
            run.weights_sha256 = provenance.weights_sha256
            run.adapter_sha256 = provenance.adapter_sha256
            session.add(run)

    def finish(self, run_id: str, outcome: RunOutcome) -> RunPublic:
        """Write how it ended; an evaluation of a stored idea becomes a row of its own."""
        with self._database.write() as session:
            run = run_in(session, run_id)
            run.status, run.finished_at = outcome.status, now()
            run.result, run.error = outcome.result, outcome.error
            run.prompts, run.usage, run.timing = outcome.prompts, outcome.usage, outcome.timing
            session.add(run)
            if run.kind == "evaluate" and outcome.status == "done" and run.idea_id is not None:
                _write_evaluation(session, run)
            session.flush()
            return public_run(session, run)

    def interrupt_unfinished(self) -> int:
        """Mark what a crash left behind; returns how many runs that were."""
        with self._database.write() as session:
            result = session.exec(
                update(Run)
                .where(col(Run.status).in_(UNFINISHED))
                .values(
                    status="interrupted",
                    finished_at=now(),
                    error={
                        "type": "interrupted",
                        "detail": "The server stopped during this run. Start it again.",
                    },
                )
            )
            return int(result.rowcount)

    def get(self, run_id: str) -> RunPublic:
        with self._database.read() as session:
            return public_run(session, run_in(session, run_id))

    def recent(
        self,
        *,
        board_id: str | None = None,
        idea_id: str | None = None,
        kind: RunKind | None = None,
        limit: int = 20,
    ) -> list[RunPublic]:
        """Newest first."""
        with self._database.read() as session:
            statement = select(Run).order_by(col(Run.created_at).desc()).limit(limit)
            if board_id is not None:
                statement = statement.where(Run.board_id == board_id)
            if idea_id is not None:
                statement = statement.where(Run.idea_id == idea_id)
            if kind is not None:
                statement = statement.where(Run.kind == kind)
            return [public_run(session, run) for run in session.exec(statement)]

    def add_suggestion(self, run_id: str, position: int, shape: SuggestionPublic) -> None:
        with self._database.write() as session:
            session.add(
                Suggestion(
                    run_id=run_id,
                    position=position,
                    **shape.model_dump(include={"id", "angle", "title", "text", "similar_to"}),
                )
            )

    def suggestion(self, suggestion_id: str) -> tuple[str, SuggestionPublic]:
        """The run's id and the suggestion."""
        with self._database.read() as session:
            row = _suggestion(session, suggestion_id)
            return row.run_id, SuggestionPublic.model_validate(row, from_attributes=True)

    def keep(
        self, suggestion_id: str, *, title: str | None = None, body: str | None = None
    ) -> tuple[IdeaPublic, bool]:
        """Make the suggestion an idea; True if it was not one already.

        Raises:
            Conflict: the run's board was deleted.
        """
        with self._database.write() as session:
            row = _suggestion(session, suggestion_id)
            if row.state == "kept" and row.idea_id is not None:
                return self._ideas.public_in(session, row.idea_id), False
            run = run_in(session, row.run_id)
            board = None if run.board_id is None else session.get(Board, run.board_id)
            if board is None or board.deleted_at is not None:
                raise Conflict("The board of this suggestion was deleted. Restore it first.")
            shape = IdeaCreate(
                board_id=run.board_id,
                title=title or row.title,
                body=row.text if body is None else body,
                status="kept",
                parent_id=run.idea_id,
            )
            idea = self._ideas.create_in(session, shape, origin="model", run_id=run.id)
            row.state, row.idea_id = "kept", idea.id
            session.add(row)
            return idea, True

    def discard(self, suggestion_id: str) -> SuggestionPublic:
        return self._mark(suggestion_id, "discarded")

    def reopen(self, suggestion_id: str) -> SuggestionPublic:
        """Take a discard back."""
        return self._mark(suggestion_id, "open")

    def _mark(self, suggestion_id: str, state: str) -> SuggestionPublic:
        with self._database.write() as session:
            row = _suggestion(session, suggestion_id)
            if row.state == "kept":
                raise Conflict("This suggestion is an idea now. Delete the idea instead.")
            row.state = state
            session.add(row)
            return SuggestionPublic.model_validate(row, from_attributes=True)

    def evaluations(self, idea_id: str) -> list[EvaluationPublic]:
        """Newest first."""
        with self._database.read() as session:
            rows = session.exec(
                select(Evaluation)
                .where(Evaluation.idea_id == idea_id)
                .order_by(col(Evaluation.created_at).desc())
            )
            return [EvaluationPublic.model_validate(row, from_attributes=True) for row in rows]


def _write_evaluation(session: Session, run: Run) -> None:
    result = run.result or {}
    session.add(
        Evaluation(
            run_id=run.id,
            idea_id=run.idea_id or "",
            idea_version=run.idea_version or 1,
            scores=result["scores"],
            overall=result["overall"],
            method=result["scoring"]["method"],
            calibrated=result["scoring"]["calibrated"],
            strengths=result["strengths"],
            concerns=result["concerns"],
            next_step=result["next_step"],
        )
    )
    session.exec(update(Idea).where(col(Idea.id) == run.idea_id).values(score=result["overall"]))


def run_in(session: Session, run_id: str) -> Run:
    run = session.get(Run, run_id)
    if run is None:
        raise NotFound(f"There is no run {run_id}.")
    return run


def _suggestion(session: Session, suggestion_id: str) -> Suggestion:
    row = session.get(Suggestion, suggestion_id)
    if row is None:
        raise NotFound(f"There is no suggestion {suggestion_id}.")
    return row


def public_run(session: Session, run: Run) -> RunPublic:
    rows: Sequence[Suggestion] = session.exec(
        select(Suggestion).where(Suggestion.run_id == run.id).order_by(col(Suggestion.position))
    ).all()
    return RunPublic(
        **run.model_dump(exclude={"id"}),
        run_id=run.id,
        suggestions=[SuggestionPublic.model_validate(row, from_attributes=True) for row in rows],
        comparisons=of_run(session, run.id) if run.kind == "rank" else [],
    )
