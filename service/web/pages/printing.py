"""The page of a board for printing: its ideas, best first, with rank and scores."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from service.analysis.standings import board_standings
from service.schemas.ideas import IdeaPublic
from service.schemas.identity import now
from service.schemas.ranking import StandingPublic
from service.web.dependencies import StoreDep
from service.web.pages.responses import render

router = APIRouter()


@dataclass(frozen=True, slots=True)
class PrintedIdea:
    idea: IdeaPublic
    standing: StandingPublic | None

    @property
    def place(self) -> tuple[float, float]:
        """Ranked ideas first, then by score."""
        rank = self.standing.rank if self.standing else None
        return (float("inf") if rank is None else rank, -(self.idea.score or 0))


@router.get("/boards/{board_id}/print")
def print_board(request: Request, board_id: str, store: StoreDep) -> Response:
    ((board, ideas),) = store.archive.readable(board_id)
    standings = board_standings(store, board_id, "people").public()
    by_idea = {one.idea_id: one for one in standings.ideas}
    context = {
        "board": board,
        "files": store.attachments.of_ideas([idea.id for idea in ideas]),
        "printed": _in_order(ideas, by_idea),
        "votes": standings.comparisons,
        "moment": now(),
    }
    return render(request, "boards/print.html", context, board_id=board_id)


def _in_order(
    ideas: Sequence[IdeaPublic], standings: dict[str, StandingPublic]
) -> list[PrintedIdea]:
    shown = [
        PrintedIdea(idea, standings.get(idea.id)) for idea in ideas if idea.status != "archived"
    ]
    return sorted(shown, key=lambda one: one.place)
