"""The page of a board for printing: its ideas, best first, with rank and scores."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from service.analysis.rubrics import score_table
from service.analysis.standings import board_standings
from service.analysis.ties import Place, standing_places
from service.schemas.evaluation import TablePublic, TableRow
from service.schemas.ideas import IdeaPublic
from service.schemas.identity import now
from service.schemas.ranking import RankingPublic, StandingPublic
from service.web.dependencies import StoreDep
from service.web.pages.responses import render

router = APIRouter()


@dataclass(frozen=True, slots=True)
class PrintedIdea:
    idea: IdeaPublic
    standing: StandingPublic | None
    place: Place | None
    evaluation: TableRow | None

    @property
    def order(self) -> tuple[float, float]:
        """Ranked ideas first, then by score."""
        rank = self.standing.rank if self.standing else None
        return (float("inf") if rank is None else rank, -(self.idea.score or 0))


@router.get("/boards/{board_id}/print")
def print_board(request: Request, board_id: str, store: StoreDep) -> Response:
    ((board, ideas),) = store.archive.readable(board_id)
    standings = board_standings(store, board_id, "people").public()
    shown = store.rubrics.shown(board_id)
    table = score_table(store, board_id, shown.id if shown else None)
    context = {
        "board": board,
        "files": store.attachments.of_ideas([idea.id for idea in ideas]),
        "printed": _in_order(ideas, standings, table),
        "table": table,
        "rubric": shown.name if shown else None,
        "votes": standings.comparisons,
        "moment": now(),
    }
    return render(request, "boards/print.html", context, board_id=board_id)


def _in_order(
    ideas: Sequence[IdeaPublic], standings: RankingPublic, table: TablePublic
) -> list[PrintedIdea]:
    by_idea = {one.idea_id: one for one in standings.ideas}
    places = standing_places(standings.ideas)
    rows = {row.idea_id: row for row in table.ideas if row.overall is not None}
    shown = [
        PrintedIdea(idea, by_idea.get(idea.id), places.get(idea.id), rows.get(idea.id))
        for idea in ideas
        if idea.status != "archived"
    ]
    return sorted(shown, key=lambda one: one.order)
