"""Creates, finishes and lists runs."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from service.errors import LeaseLost, NotFound, record
from service.schemas.brainstorm import SuggestionPublic
from service.schemas.evaluation import FailurePublic
from service.schemas.fields import UNFINISHED, RunKind, RunStatus
from service.schemas.identity import now
from service.schemas.run_kinds import RECORDED_KINDS
from service.schemas.runs import RunPublic
from service.store import comparisons, evaluations
from service.store.announcements import announce, run_topic
from service.store.authors import authors
from service.store.cursors import Page
from service.store.database import Database
from service.store.evaluations import write_evaluation
from service.store.keyed_answers import RequestKey, keep_run
from service.store.own_runs import OwnRuns, missing, run_in
from service.store.replicas import interrupt
from service.store.run_listing import RunQuery, run_page
from service.store.suggestions import mark_redrawn
from service.store.tables import Run, Suggestion


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to create; `redraws` is the id of the suggestion that it replaces."""

    kind: RunKind
    request: dict[str, Any]
    seed: int
    board_id: str | None = None
    idea_id: str | None = None
    idea_version: int | None = None
    redraws: str | None = None


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


@dataclass(frozen=True, slots=True)
class UnderWay:
    """An unfinished run and the person who started it."""

    run: RunPublic
    person_id: str | None


class RunStore:
    """This server performs the runs that it creates."""

    def __init__(self, database: Database, own: OwnRuns) -> None:
        self._database = database
        self._own = own

    def create(self, new: NewRun, *, key: RequestKey | None = None) -> RunPublic:
        """Stores a run, and with it the key of the request that asked for it, if there is one."""
        with self._database.write() as session:
            run = Run(
                kind=new.kind,
                request=new.request,
                seed=new.seed,
                board_id=new.board_id,
                idea_id=new.idea_id,
                idea_version=new.idea_version,
                replica_id=self._own.replica_id,
            )
            session.add(run)
            session.flush()
            if new.redraws is not None:
                mark_redrawn(session, new.redraws, run.id)
            if key is not None:
                keep_run(session, key, run.id)
            return public_run(session, run)

    def start(self, run_id: str, provenance: Provenance) -> None:
        """Raises: LeaseLost, NotFound"""
        with self._database.write() as session:
            run = self._own.get(session, run_id)
            run.status, run.started_at = "running", now()
            run.model = provenance.model
            run.weights_sha256 = provenance.weights_sha256
            run.adapter_sha256 = provenance.adapter_sha256
            session.add(run)

    def finish(self, run_id: str, outcome: RunOutcome) -> RunPublic:
        """Stores how a run ended; an evaluation of a stored idea gets a row of its own.

        Raises: LeaseLost, NotFound
        """
        with self._database.write() as session:
            run = self._own.get(session, run_id)
            run.status, run.finished_at = outcome.status, now()
            run.error = record(outcome.error) if outcome.error else None
            if outcome.result is not None:
                # Keep what `add_failure` stored, even if the run was stopped.
                run.result = {**(run.result or {}), **outcome.result}
            run.prompts, run.usage, run.timing = outcome.prompts, outcome.usage, outcome.timing
            session.add(run)
            kind = RECORDED_KINDS[run.kind]
            if kind.is_evaluation and outcome.status == "done" and run.idea_id is not None:
                version = run.idea_version or 1
                write_evaluation(session, run.id, run.idea_id, version, run.result or {})
            session.flush()
            announce(session, run_topic(run_id))
            return public_run(session, run)

    def interrupt_unfinished(self) -> int:
        """Marks unfinished runs as interrupted after a crash; returns how many there were.

        Only for a server that has the database to itself.
        """
        with self._database.write() as session:
            unfinished = session.exec(select(Run).where(col(Run.status).in_(UNFINISHED))).all()
            interrupt(session, unfinished)
            return len(unfinished)

    def interrupt_own(self, run_ids: Sequence[str]) -> None:
        """Marks runs of this server that it does not perform any more."""
        with self._database.write() as session:
            for run_id in run_ids:
                with suppress(LeaseLost, NotFound):
                    interrupt(session, [self._own.get(session, run_id)])

    def get(self, run_id: str) -> RunPublic:
        with self._database.read() as session:
            return public_run(session, run_in(session, run_id))

    def status(self, run_id: str) -> RunStatus:
        """Raises: NotFound"""
        with self._database.read() as session:
            status: RunStatus | None = session.scalar(select(Run.status).where(Run.id == run_id))
            if status is None:
                raise missing(run_id)
            return status

    def page(self, query: RunQuery) -> Page[RunPublic]:
        with self._database.read() as session:
            page = run_page(session, query)
            return Page(_publics(session, page.items), page.cursor)

    def unfinished(self, board_id: str, kind: RunKind) -> str | None:
        """Returns the id of the board's newest unfinished run of this kind."""
        with self._database.read() as session:
            return session.exec(
                select(Run.id)
                .where(Run.board_id == board_id, Run.kind == kind)
                .where(col(Run.status).in_(UNFINISHED))
                .order_by(col(Run.created_at).desc())
                .limit(1)
            ).first()

    def under_way(self, board_id: str, *, limit: int = 5) -> list[UnderWay]:
        """Returns the board's unfinished runs, newest first."""
        with self._database.read() as session:
            rows = session.exec(
                select(Run)
                .where(Run.board_id == board_id, col(Run.status).in_(UNFINISHED))
                .order_by(col(Run.created_at).desc())
                .limit(limit)
            ).all()
            publics = _publics(session, rows)
            return [UnderWay(run, row.person_id) for run, row in zip(publics, rows, strict=True)]

    def times(
        self, kind: RunKind, model: str, *, limit: int
    ) -> list[tuple[dict[str, Any], dict[str, Any] | None]]:
        """Returns the requests and timings of the model's latest runs of the kind that are done."""
        with self._database.read() as session:
            rows = session.exec(
                select(Run.request, Run.timing)
                .where(Run.kind == kind, Run.model == model, Run.status == "done")
                .order_by(col(Run.finished_at).desc())
                .limit(limit)
            )
            return [(dict(request), dict(timing) if timing else None) for request, timing in rows]

    def add_failure(self, run_id: str, failure: FailurePublic) -> None:
        """Stores that a run over a board could not evaluate an idea. Raises: LeaseLost, NotFound"""
        with self._database.write() as session:
            run = self._own.get(session, run_id)
            failed = [
                *(run.result or {}).get("failed", []),
                failure.model_dump() | {"words": failure.words},
            ]
            run.result = {**(run.result or {}), "failed": failed}
            session.add(run)

    def recent(self, **narrowed: Any) -> list[RunPublic]:
        """Returns runs, newest first; the arguments are the fields of `RunQuery`."""
        return self.page(RunQuery(**narrowed)).items


def public_run(session: Session, run: Run) -> RunPublic:
    public = _publics(session, [run])[0]
    if RECORDED_KINDS[run.kind].has("evaluations"):
        public.evaluations = evaluations.of_run(session, run.id)
    return public


def _publics(session: Session, runs: Sequence[Run]) -> list[RunPublic]:
    """Leaves out the evaluations of runs over a board; there can be a thousand."""
    suggestions: dict[str, list[SuggestionPublic]] = {}
    for row in session.exec(
        select(Suggestion)
        .where(col(Suggestion.run_id).in_([run.id for run in runs]))
        .order_by(col(Suggestion.position))
    ):
        public = SuggestionPublic.model_validate(row, from_attributes=True)
        suggestions.setdefault(row.run_id, []).append(public)
    names = authors(session, (run.person_id for run in runs))
    return [
        RunPublic(
            **run.model_dump(exclude={"id"}),
            run_id=run.id,
            author=names.get(run.person_id),
            suggestions=suggestions.get(run.id, []),
            comparisons=(
                comparisons.of_run(session, run.id)
                if RECORDED_KINDS[run.kind].has("comparisons")
                else []
            ),
        )
        for run in runs
    ]
