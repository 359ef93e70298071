"""The page that says how scores are made and how far they can be trusted."""

from fastapi import APIRouter, Request, Response

from service.web.pages.responses import render

router = APIRouter(prefix="/help")


@router.get("/scores")
def show_score_help(request: Request) -> Response:
    return render(request, "help/scores.html", {})
