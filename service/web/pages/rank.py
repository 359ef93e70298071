"""The page on which people vote pair by pair, with the rankings by people and by the model.

The address contains the whole state: the skipped pairs and the vote that can be undone. Each form
has a ballot id, so that sending it twice, or again after going back, counts as one vote.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response

from service.analysis.standings import Standings, board_standings, next_pair
from service.analysis.ties import standing_places
from service.errors import NotFound
from service.messages import Text
from service.runs.service import Runs
from service.schemas.fields import PAIRS_CEILING, UNFINISHED
from service.schemas.identity import new_id
from service.schemas.ranking import (
    ComparisonCreate,
    ComparisonPublic,
    PairPublic,
    RankingPublic,
    RankTask,
    StandingPublic,
)
from service.store import Store
from service.web.dependencies import RunsDep, StoreDep
from service.web.pages.forms import RankForm, RankQuery, VoteForm, split_pair
from service.web.pages.idempotency import OnceDep
from service.web.pages.responses import Flash, redirect, render
from service.web.pages.start_run import RunStarter, validate_as
from service.web.pages.views import RunView, view_run

SHOWN_ROWS = 100
# A skipped pair may return after so many others.
MOST_SKIPPED = 8
router = APIRouter(prefix="/boards/{board_id}/rank")


@dataclass(frozen=True, slots=True)
class Row:
    idea_id: str
    title: str
    people: StandingPublic
    model: StandingPublic


@dataclass(frozen=True, slots=True)
class LastVote:
    id: str
    text: str


@router.get("")
def show_ranking(
    request: Request,
    board_id: str,
    store: StoreDep,
    runs: RunsDep,
    query: Annotated[RankQuery, Query()],
) -> Response:
    board = store.boards.get(board_id)
    # Read the run before the rankings: if it ends in between, its results are still on this page.
    view = _shown(store, runs, board_id, query.run)
    people = board_standings(store, board_id, "people", query.round)
    model = board_standings(store, board_id, "model", query.round)
    pair = _pair(store, people, query)
    ranked = people.public()
    by_model = model.public()
    rows = _rows(ranked, by_model, query.by)
    context = {
        "board": board,
        "round": store.rounds.get(board_id, query.round) if query.round else None,
        "query": query,
        "view": view,
        "pair": pair,
        "skips": _skips(query.skip, pair),
        "ballot": new_id(),
        "vote": _last_vote(store, board_id, query.voted),
        "count": len(people.contenders),
        "votes": people.comparisons,
        "consensus": ranked.consensus,
        "verdicts": model.comparisons,
        "rows": rows[:SHOWN_ROWS],
        "places": {
            "people": standing_places(ranked.ideas),
            "model": standing_places(by_model.ideas),
        },
        "more": len(rows) - SHOWN_ROWS,
        "agreement": _agreement(rows),
        "most": PAIRS_CEILING,
    }
    return render(request, "ranking/rank.html", context, board_id=board_id)


@router.post("/votes")
def vote(board_id: str, store: StoreDep, form: Annotated[VoteForm, Form()]) -> Response:
    shape = validate_as(
        ComparisonCreate, **form.model_dump(exclude={"ballot", "skip", "run", "round"})
    )
    made = store.comparisons.vote(board_id, shape, ballot=form.ballot)
    return redirect(
        _address(board_id, skip=form.skip, voted=made.id, run=form.run, round=form.round)
    )


@router.post("/votes/{comparison_id}/undo")
def undo(board_id: str, comparison_id: str, store: StoreDep, round: str | None = None) -> Response:
    try:
        gone = store.comparisons.delete(board_id, comparison_id)
    except NotFound:
        return redirect(
            _address(board_id, round=round), Flash(Text("This vote was already undone."))
        )
    again = f"{gone.first_id}.{gone.second_id}"
    here = _address(board_id, pair=again, round=round)
    return redirect(here, Flash(Text("Undone. Here is the pair again.")))


@router.post("/compare")
async def compare(
    request: Request,
    board_id: str,
    runs: RunsDep,
    once: OnceDep,
    form: Annotated[RankForm, Form()],
) -> Response:
    task = validate_as(RankTask, board_id=board_id, pairs=form.pairs)
    run_id = await RunStarter(request, runs, once).start(task)
    return redirect(_address(board_id, run=run_id))


def _address(board_id: str, **query: Any) -> str:
    path = f"/boards/{board_id}/rank"
    fields = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(fields, doseq=True)}" if fields else path


def _pair(store: Store, people: Standings, query: RankQuery) -> PairPublic | None:
    if len(people.contenders) < 2:
        return None
    asked = split_pair(query.pair)
    if len(asked) == 2 and all(idea in people.contenders for idea in asked):
        first, second = (store.ideas.get(idea) for idea in asked)
        return PairPublic(first=first, second=second, information=0)
    return next_pair(store, people, {frozenset(split_pair(one)) for one in query.skip})


def _skips(skipped: Sequence[str], pair: PairPublic | None) -> list[str]:
    """The pairs to skip if this pair is skipped too."""
    if pair is None:
        return []
    return [*skipped, f"{pair.first.id}.{pair.second.id}"][-MOST_SKIPPED:]


def _last_vote(store: Store, board_id: str, comparison_id: str | None) -> LastVote | None:
    if comparison_id is None:
        return None
    with suppress(NotFound):
        made = store.comparisons.get(board_id, comparison_id)
        titles = store.ideas.titles([made.first_id, made.second_id])
        if len(titles) == 2:
            return LastVote(made.id, _vote_summary(made, titles))
    return None


def _vote_summary(made: ComparisonPublic, titles: dict[str, str]) -> str:
    first, second = titles[made.first_id], titles[made.second_id]
    if made.outcome == "tie":
        return Text("“%(first)s” and “%(second)s” are equal.", first=first, second=second)
    one, other = (first, second) if made.outcome == "first" else (second, first)
    return Text("“%(first)s” comes before “%(second)s”.", first=one, second=other)


def _rows(people: RankingPublic, model: RankingPublic, by: str) -> list[Row]:
    """The compared ideas in the order of the chosen judge, then those that only the other ranked."""
    by_people = {one.idea_id: one for one in people.ideas}
    by_model = {one.idea_id: one for one in model.ideas}
    order, other = (by_people, by_model) if by == "people" else (by_model, by_people)
    ids = [idea for idea in order if order[idea].rank is not None]
    ids += [idea for idea in other if order[idea].rank is None and other[idea].rank is not None]
    return [Row(idea, by_people[idea].title, by_people[idea], by_model[idea]) for idea in ids]


def _agreement(rows: Sequence[Row]) -> tuple[int, int] | None:
    """On how many pairs people and the model agree, and how many pairs both decided."""
    both = [row for row in rows if row.people.rank and row.model.rank][:SHOWN_ROWS]
    ways = [
        (one.people.strength - other.people.strength) * (one.model.strength - other.model.strength)
        for one, other in combinations(both, 2)
    ]
    decided = [way for way in ways if way]
    return (sum(way > 0 for way in decided), len(decided)) if decided else None


def _shown(store: Store, runs: Runs, board_id: str, run_id: str | None) -> RunView | None:
    """The requested run, or else the newest unfinished one."""
    for run in store.runs.recent(board_id=board_id, kind="rank", limit=8):
        if run.run_id == run_id or (run_id is None and run.status in UNFINISHED):
            return view_run(store, run.run_id, runs)
    return None
