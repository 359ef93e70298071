"""How pages show each kind of run: its names and template, its progress, the page it belongs to.

The last layer of the registry of run kinds, after `schemas.run_kinds` and `ideation.kinds`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from service.messages import Counted, Text
from service.schemas.runs import RunPublic

WRITING = Text("Writing")
DONE = Text("Done")


@dataclass(frozen=True, slots=True)
class Progress:
    """`word` names the state of the run; `made` of the `wanted` items are done."""

    word: str
    made: int
    wanted: int
    is_live: bool


@dataclass(frozen=True, slots=True)
class ShownKind:
    """`name` is the kind in lists of runs, `title` the heading of one run, `working` its state while
    it runs.

    `wanted` and `topic` are read from the run's request: how many items it is to make, and what it
    is about if it has neither a topic nor an idea. `ended` says how many items a run has made, and how
    many failed. `page` is the address that the run is shown at,
    given the idea it is about; None is a page of its own.
    """

    name: Text
    title: Text
    template: str
    working: Text = WRITING
    wanted: Callable[[dict[str, Any]], int] = lambda _: 0
    progress: Callable[[Progress], str] = lambda progress: progress.word
    ended: Callable[[int, int], str] = lambda _made, _failed: DONE
    topic: Callable[[dict[str, Any]], str] | None = None
    page: Callable[[RunPublic, str | None], str | None] = lambda _run, _idea_id: None
    is_about_one_idea: bool = False

    def items(self, request: dict[str, Any]) -> int:
        """How many items the model makes, for estimates; 0 if it makes none."""
        return 1 if self.is_about_one_idea else self.wanted(request)


def _ideas(progress: Progress) -> str:
    return Counted(
        "%(word)s: %(made)s of %(count)s idea",
        "%(word)s: %(made)s of %(count)s ideas",
        progress.wanted,
        word=progress.word,
        made=progress.made,
    )


def _suggestions(progress: Progress) -> str:
    if progress.is_live:
        return _ideas(progress)
    return Counted(
        "%(word)s: %(count)s idea",
        "%(word)s: %(count)s ideas",
        progress.made,
        word=progress.word,
    )


def _pairs(progress: Progress) -> str:
    return Counted(
        "%(word)s: %(made)s of %(count)s pair",
        "%(word)s: %(made)s of %(count)s pairs",
        progress.wanted,
        word=progress.word,
        made=progress.made,
    )


def _made_ideas(made: int, _failed: int) -> Text:
    return Counted("%(count)s new idea", "%(count)s new ideas", made)


def _evaluated(made: int, failed: int) -> Text:
    done = Counted("%(count)s idea evaluated", "%(count)s ideas evaluated", made)
    return Text("%(done)s; %(failed)s failed", done=done, failed=failed) if failed else done


def _compared(made: int, _failed: int) -> Text:
    return Counted("%(count)s pair compared", "%(count)s pairs compared", made)


def _pair_count(request: dict[str, Any]) -> int:
    return int(request.get("pairs", 0))


def _idea_page(_: RunPublic, idea_id: str | None) -> str | None:
    return f"/ideas/{idea_id}" if idea_id else None


def _ideas_to_write(request: dict[str, Any]) -> int:
    return int(request.get("n", 0)) if "model" in request.get("sources", ["model"]) else 0


SHOWN_KINDS: Mapping[str, ShownKind] = {
    "brainstorm": ShownKind(
        name=Text("Brainstorm"),
        title=Text("Brainstorm"),
        template="runs/_run_brainstorm.html",
        wanted=_ideas_to_write,
        progress=_suggestions,
        ended=_made_ideas,
    ),
    "refine": ShownKind(
        name=Text("Refinement"),
        title=Text("Proposed text"),
        template="runs/_run_refine.html",
        page=_idea_page,
        is_about_one_idea=True,
    ),
    "evaluate": ShownKind(
        name=Text("Evaluation"),
        title=Text("New evaluation"),
        template="runs/_run_evaluate.html",
        page=_idea_page,
        is_about_one_idea=True,
    ),
    "evaluate-all": ShownKind(
        name=Text("Evaluation of several ideas"),
        title=Text("Evaluation of the board"),
        template="runs/_run_evaluate-all.html",
        working=Text("Evaluating"),
        wanted=lambda request: len(request.get("idea_ids", [])),
        progress=_ideas,
        ended=_evaluated,
        topic=lambda _: Text("the ideas of this board"),
        page=lambda run, _: f"/boards/{run.board_id}",
    ),
    "rank": ShownKind(
        name=Text("Comparison"),
        title=Text("Comparison by the model"),
        template="runs/_run_rank.html",
        working=Text("Comparing"),
        wanted=_pair_count,
        progress=_pairs,
        ended=_compared,
        topic=lambda request: Counted(
            "%(count)s pair of ideas", "%(count)s pairs of ideas", _pair_count(request)
        ),
        page=lambda run, _: f"/boards/{run.board_id}/rank",
    ),
}
