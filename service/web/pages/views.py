"""What templates show of a run: the stored run, joined with the live drafts and scores."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from service.analysis.insight import leading
from service.analysis.rubrics import DEFAULT_NAME
from service.analysis.ties import Measured, overall_error, places
from service.errors import NotFound
from service.messages import Text
from service.prompts.methods import METHODS
from service.runs.recorder import Draft, QueuePosition
from service.runs.service import Runs
from service.schemas.brainstorm import IncompletePublic, SuggestionPublic
from service.schemas.evaluation import FailurePublic
from service.schemas.fields import UNFINISHED
from service.schemas.ideas import IdeaPublic
from service.schemas.run_kinds import failures
from service.schemas.runs import RunPublic
from service.store import Store
from service.text.claims import backed
from service.text.edits import Note, ProposedEdit, Segment, edits_of, segments
from service.web.pages.cards import Card, cards_of
from service.web.pages.change_facts import change_facts
from service.web.pages.outcomes import (
    ADVICE,
    failure,
    incomplete_title,
    missing_title,
    waiting,
    waiting_word,
)
from service.web.pages.run_kinds import SHOWN_KINDS, Progress, ShownKind
from service.web.pages.run_times import RunTimes, about
from service.web.pages.topics import topics

RUN_STATUS_NAMES = {
    "queued": Text("Waiting"),
    "running": Text("Writing"),
    "done": Text("Done"),
    "failed": Text("Failed"),
    "cancelled": Text("Stopped"),
    "interrupted": Text("Interrupted"),
}

# Characters; most ideas are about four times as long.
DRAFT_STEP = 60


@dataclass(frozen=True, slots=True)
class RubricName:
    """`id` is empty for the default rubric."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class RunView:
    """`titles` has the titles of all ideas that the run names, except deleted ones; `board_names` has
    the boards of those that were copied from another board. `rubric` names the board's own rubric that
    the run used, if any.

    `idea` is the current state of the idea that the run is about, and `read` the text that the model
    read, once a decision was made. `source_run` made the suggestion that the run started from.
    `hidden_rubric` is the run's rubric if cards show the scores of another one. `left_s` is about how
    long it still takes, `wait_s` how long the runs before it do; None if that is not known.
    """

    run: RunPublic
    topic: str
    titles: dict[str, str]
    board_names: dict[str, str]
    idea: IdeaPublic | None
    read: Note | None
    queue_position: QueuePosition | None
    drafts: list[tuple[int, Draft]]
    scores: dict[str, float]
    spread: dict[str, float | None]
    cards: list[Card]
    source_run: str | None = None
    hidden_rubric: RubricName | None = None
    is_best_first: bool = False
    left_s: float | None = None
    wait_s: float | None = None
    rubric: str | None = None

    @property
    def id(self) -> str:
        return self.run.run_id

    @property
    def is_live(self) -> bool:
        return self.run.status in UNFINISHED

    @property
    def redrawing(self) -> list[str]:
        """The ids of the unfinished runs that replace suggestions of this one."""
        return [
            card.redraw.run.run_id for card in self.cards if card.redraw and card.redraw.is_live
        ]

    @property
    def is_streaming(self) -> bool:
        return self.is_live or bool(self.redrawing)

    @property
    def kind(self) -> ShownKind:
        return SHOWN_KINDS[self.run.kind]

    @property
    def title(self) -> str:
        return self.kind.title

    @property
    def word(self) -> str:
        if self.is_cut_off:
            return Text("Cut short")
        return (
            self.kind.working if self.run.status == "running" else RUN_STATUS_NAMES[self.run.status]
        )

    @property
    def request(self) -> dict[str, Any]:
        return self.run.request

    @property
    def wanted(self) -> int:
        """How many ideas or pairs the run was asked for."""
        return self.kind.wanted(self.request)

    @property
    def failed(self) -> list[FailurePublic]:
        """The ideas that an evaluation of several ideas could not evaluate."""
        return failures(self.run)

    @property
    def judged(self) -> int:
        """How many ideas were evaluated or failed."""
        return len(self.run.evaluations) + len(self.failed)

    @property
    def ties(self) -> int:
        return sum(one.outcome == "tie" for one in self.run.comparisons)

    @property
    def method(self) -> str:
        method = METHODS.get(str(self.request.get("method")))
        return method.title if method else ""

    @property
    def elapsed_s(self) -> float:
        until = self.run.finished_at or datetime.now(UTC)
        return (until - self.run.created_at).total_seconds()

    @property
    def result(self) -> dict[str, Any]:
        return self.run.result or {}

    @property
    def incomplete(self) -> IncompletePublic | None:
        """Why a finished brainstorm has fewer ideas than requested; None if it has all."""
        why = self.result.get("incomplete")
        return None if why is None else IncompletePublic.model_validate(why)

    @property
    def incomplete_title(self) -> str:
        return incomplete_title(self.run, self.incomplete) if self.incomplete else ""

    @property
    def incomplete_advice(self) -> str:
        return ADVICE[self.incomplete.reason] if self.incomplete else ""

    @property
    def missing(self) -> int:
        """How many ideas a brainstorm that is over did not make, if it made any."""
        is_partial = self.run.kind == "brainstorm" and not self.is_live and self.run.suggestions
        return max(0, self.wanted - self.run.written) if is_partial else 0

    @property
    def missing_title(self) -> str:
        return missing_title(self.run.written, self.missing)

    @property
    def is_cut_off(self) -> bool:
        """Whether a brainstorm ended by an error after it had made some ideas."""
        return is_cut_off(self.run)

    @property
    def failure(self) -> str:
        return failure(self.run.error)

    @property
    def open_suggestions(self) -> list[SuggestionPublic]:
        return [card.suggestion for card in self.cards if card.suggestion.state == "open"]

    @property
    def has_estimates(self) -> bool:
        """Whether the board had learnt enough to say which suggestions people will keep."""
        return any(card.suggestion.fit is not None for card in self.cards)

    @property
    def tiles(self) -> list[str]:
        """One for each idea that was asked for: how far it is, as the class of its tile."""
        drafts = (
            [f"filling {draft_step(draft)}" for _, draft in self.drafts] if self.is_live else []
        )
        tiles = ["full"] * self.run.written + drafts
        return (tiles + [""] * self.wanted)[: self.wanted]

    @property
    def before(self) -> tuple[str, str]:
        """The title and body that a refinement is compared with.

        They are the current ones, or after a decision those that the model read.
        """
        if self.read is not None:
            return self.read
        if self.idea is not None:
            return self.idea.title, self.idea.body
        return str(self.request.get("title", "")), str(self.request.get("body", ""))

    @property
    def edits(self) -> Sequence[ProposedEdit]:
        """The edits from `before` to the proposed text."""
        return edits_of(
            self.result, Note(*self.before), is_as_read=self.read is not None or not self.is_stale
        )

    @property
    def segments(self) -> list[Segment]:
        return segments(Note(*self.before), self.edits)

    @property
    def change_facts(self) -> list[Text]:
        """Counts of what the proposed text changes in `before`."""
        return change_facts(Note(*self.before), Note(self.result["title"], self.result["body"]))

    @property
    def claims(self) -> list[str]:
        """What the model claims to have changed and did change."""
        after = Note(self.result["title"], self.result["body"])
        return backed(self.result["changes"], Note(*self.before), after)

    @property
    def leading(self) -> Text | None:
        """Which of the evaluated ideas scores highest, if there are two."""
        made = [one for one in self.run.evaluations if one.idea_id in self.titles]
        if len(made) < 2:
            return None
        measured = [Measured(one.overall, overall_error(one.spread, one.criteria)) for one in made]
        found = zip((one.idea_id for one in made), places(measured), strict=True)
        return leading(self.titles, dict(found))

    @property
    def is_stale(self) -> bool:
        """Whether the idea's text has changed since the run read it."""
        return self.idea is not None and self.idea.version != self.run.idea_version

    @property
    def address(self) -> str:
        """The page of the board or the idea that shows the run, or else its own page."""
        page = self.kind.page(self.run, self.idea.id if self.idea else None)
        return f"{page}?run={self.id}#run" if page else f"/runs/{self.id}"

    @property
    def waiting(self) -> str:
        """What a queued run waits for; empty if it is about to start."""
        if self.queue_position is None or self.run.status != "queued":
            return ""
        return waiting(self.queue_position, self.wait_s)

    @property
    def left(self) -> str:
        """How long it still takes, in words; empty if that is not known, or it has not begun."""
        if self.left_s is None or self.run.status != "running":
            return ""
        return Text("%(time)s left", time=about(self.left_s))

    @property
    def announcement(self) -> str:
        """One line for screen readers. It must not change with the clock, or it is read out again."""
        if self.run.status == "queued":
            return waiting_word(self.queue_position) if self.queue_position else self.word
        if self.redrawing and not self.is_live:
            return Text("Writing another idea")
        written = sum(card.suggestion.origin == "model" for card in self.cards)
        made = written + len(self.run.comparisons) + self.judged
        return self.kind.progress(Progress(self.word, made, self.wanted, self.is_live))


def is_cut_off(run: RunPublic) -> bool:
    return run.status in ("failed", "interrupted") and bool(run.suggestions)


def draft_step(draft: Draft) -> str:
    """How far a draft is, in quarters of the length of most ideas."""
    return f"step-{min(4, 1 + len(draft.text) // DRAFT_STEP)}"


def view_run(
    store: Store,
    run_id: str,
    runs: Runs,
    *,
    best_first: bool = True,
    times: RunTimes | None = None,
) -> RunView:
    """With `best_first`, suggestions of a run that is over come in the order of what people are
    expected to keep, where that was estimated.

    Raises: NotFound. Blocking: call it in a thread.
    """
    live = runs.look(run_id)
    times = times or RunTimes(store, runs)
    drafts = [] if live is None else sorted(live.drafts.items())
    queue_position = runs.queue_position(live)
    scores = {} if live is None else dict(live.scores)
    spread = {} if live is None else dict(live.spread)
    run = runs.read(run_id)
    made = {suggestion.title for suggestion in run.suggestions}
    is_best_first = best_first and _has_order(run)
    cards = cards_of(store, _best_first(run) if is_best_first else run, runs.look)
    named = [card.suggestion.idea_id or card.suggestion.similar_to or "" for card in cards]
    named += [side for one in run.comparisons for side in (one.first_id, one.second_id)]
    named += [one.idea_id for one in run.evaluations] + [one.idea_id for one in failures(run)]
    named += [run.idea_id or "", *(run.request.get("idea_ids") or ())]
    titles = store.ideas.titles(named)
    source = run.request.get("suggestion_id")
    is_here, is_decided = run.idea_id in titles, run.decision != "open"
    return RunView(
        run=run,
        topic=topics(store, [run])[run_id],
        titles=titles,
        board_names=store.ideas.board_names(
            [one.copied_from for one in run.suggestions if one.copied_from is not None]
        ),
        idea=store.ideas.get(run.idea_id or "") if is_here else None,
        read=store.refinements.read(run_id) if is_here and is_decided else None,
        queue_position=queue_position,
        # A draft may have become a suggestion since `drafts` was read; show it only once.
        drafts=[draft for draft in drafts if draft[1].title not in made],
        scores=scores,
        spread=spread,
        cards=cards,
        hidden_rubric=_hidden_rubric(store, run),
        rubric=_rubric_name(store, run),
        source_run=store.suggestions.get(str(source))[0] if source else None,
        is_best_first=is_best_first,
        left_s=times.left_s(run, live),
        wait_s=times.wait_s(queue_position.before) if queue_position else None,
    )


def _has_order(run: RunPublic) -> bool:
    """Cards move only when the run is over, so that nobody reads a card that moves meanwhile."""
    return run.status not in UNFINISHED and any(one.fit is not None for one in run.suggestions)


def _best_first(run: RunPublic) -> RunPublic:
    ordered = sorted(run.suggestions, key=lambda one: -(one.fit or 0))
    return run.model_copy(update={"suggestions": ordered})


def _rubric_name(store: Store, run: RunPublic) -> str | None:
    rubric_id = run.request.get("rubric_id")
    if run.kind != "evaluate" or not rubric_id:
        return None
    with suppress(NotFound):
        return store.rubrics.name(rubric_id)
    return None


def _hidden_rubric(store: Store, run: RunPublic) -> RubricName | None:
    if run.kind != "evaluate-all" or run.board_id is None or run.status in UNFINISHED:
        return None
    shown, used = store.rubrics.shown(run.board_id), run.request.get("rubric_id")
    if used == (shown.id if shown else None):
        return None
    if used is None:
        return RubricName("", DEFAULT_NAME)
    # A deleted rubric cannot be chosen for the cards.
    names = {one.id: one.name for one in store.rubrics.all(run.board_id)}
    return RubricName(used, names[used]) if used in names else None


def shown_run(
    store: Store, runs: Runs, run_id: str | None, *, best_first: bool = True
) -> RunView | None:
    """None if the address names no run."""
    return view_run(store, run_id, runs, best_first=best_first) if run_id else None
