"""Routes for one idea: show, edit, move and delete it, and start runs on it."""

import asyncio
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Query, Request, Response, status

from service.analysis.similar_ideas import SimilarIdeas
from service.errors import LostUpdate, ModelUnavailable, NotFound
from service.messages import Text
from service.prompts.methods import METHODS
from service.prompts.tasks import is_usual
from service.runs.service import Runs
from service.schemas.brainstorm import BrainstormTask
from service.schemas.bulk import Move, SetStatus
from service.schemas.evaluation import DEFAULT_NAMES, EvaluateTask, EvaluationPublic
from service.schemas.fields import UNFINISHED, Status
from service.schemas.ideas import IdeaPublic, IdeaUpdate
from service.schemas.overview import SimilarPublic
from service.schemas.refinement import RefineTask
from service.store import Store
from service.text.passages import parts
from service.web.dependencies import RunsDep, SimilarIdeasDep, StoreDep
from service.web.pages.brainstorm_forms import BranchForm
from service.web.pages.evaluation_forms import EvaluateOneForm
from service.web.pages.forms import IdeaEdit, RefineForm
from service.web.pages.idea_list import card_page, changed_list
from service.web.pages.idea_past import SHOWN_EVALUATIONS, SHOWN_TAGS, PastQuery, past_context
from service.web.pages.idempotency import OnceDep
from service.web.pages.responses import (
    Flash,
    current_address,
    redirect,
    redirect_back,
    render,
    targets_element,
)
from service.web.pages.start_run import RunStarter, validate_as
from service.web.pages.trash import ask_to_restore
from service.web.pages.views import RunView, view_run

RECENT_RUNS = 8
PRESETS = {
    Text("Shorter"): "Make it shorter.",
    Text("Clearer"): "Make it clearer and simpler to read.",
    Text("More concrete"): "Make it more concrete: who does what, where and when.",
    Text("Cheaper"): "Make it cheaper to do.",
    Text("Bolder"): "Make it bolder and more surprising.",
    Text("Friendlier"): "Use a friendlier, warmer tone.",
    Text("As a pitch"): "Turn it into a short pitch that convinces.",
    Text("Add a first step"): "Add a first step that can be taken this week.",
    Text("Address the main risk"): "Name the main risk and say how to deal with it.",
}
router = APIRouter()


class IdeaPageQuery(PastQuery):
    """`run` is the run that the page shows."""

    run: str | None = None


@router.get("/ideas/{idea_id}")
def show_idea(
    request: Request,
    idea_id: str,
    store: StoreDep,
    runs: RunsDep,
    similar_ideas: SimilarIdeasDep,
    query: Annotated[IdeaPageQuery, Query()],
) -> Response:
    try:
        idea = store.ideas.get(idea_id)
    except NotFound:
        return ask_to_restore(request, store, idea_id)
    # Read the run before the idea: if it ends in between, its results are still on this page.
    view = _shown(store, runs, idea, query.run)
    idea = store.ideas.get(idea_id)
    context = {"view": view, "near": _near(similar_ideas, idea)} | _context(store, idea)
    context |= past_context(store, idea, query)
    return render(request, "ideas/idea.html", context, board_id=idea.board_id)


@router.get("/ideas/{idea_id}/edit")
def edit_idea(request: Request, idea_id: str, store: StoreDep) -> Response:
    idea = store.ideas.get(idea_id)
    if targets_element(request, f"idea-{idea_id}"):
        return render(request, "boards/_card_edit.html", {"idea": idea})
    came_from = current_address(request, f"/boards/{idea.board_id}")
    to = came_from if urlsplit(came_from).path == f"/boards/{idea.board_id}" else ""
    context = {"idea": idea, "to": to, "tags": store.ideas.tags(idea.board_id), "mine": None}
    return render(request, "ideas/idea_edit.html", context, board_id=idea.board_id)


@router.get("/ideas/{idea_id}/card")
def show_card(request: Request, idea_id: str, store: StoreDep) -> Response:
    """The card for the board, shown again after editing was cancelled."""
    if not targets_element(request, f"idea-{idea_id}"):
        return redirect(f"/ideas/{idea_id}")
    return card_page(request, store.ideas.get(idea_id))


@router.post("/ideas/{idea_id}")
def save_idea(
    request: Request, idea_id: str, store: StoreDep, form: Annotated[IdeaEdit, Form()]
) -> Response:
    shape = IdeaUpdate(title=form.title, body=form.body, tags=form.tags)
    try:
        saved = store.ideas.update(idea_id, shape, revision=form.revision)
    except LostUpdate:
        # Typed text must not be lost, so the page shows both versions to merge by hand.
        theirs = store.ideas.get(idea_id)
        return render(
            request,
            "ideas/conflict.html",
            {"idea": theirs, "mine": form, "run_id": None},
            board_id=theirs.board_id,
            status_code=status.HTTP_409_CONFLICT,
        )
    flash = Flash(Text("Saved."))
    if targets_element(request, f"idea-{idea_id}"):
        return changed_list(request, store, saved.board_id, [idea_id], flash)
    return redirect(form.to or f"/ideas/{idea_id}", flash)


@router.post("/ideas/{idea_id}/star")
def star_idea(
    request: Request, idea_id: str, store: StoreDep, star: Annotated[bool, Form()]
) -> Response:
    idea = store.ideas.update(idea_id, IdeaUpdate(star=star))
    if targets_element(request, f"idea-{idea_id}"):
        return card_page(request, idea)
    return redirect_back(request, f"/ideas/{idea_id}")


@router.post("/ideas/{idea_id}/status")
def set_status(
    request: Request, idea_id: str, store: StoreDep, status: Annotated[Status, Form()]
) -> Response:
    change = store.changes.make(SetStatus(operation="set_status", ids=[idea_id], status=status))
    idea = store.ideas.get(idea_id)
    is_gone = status == "archived" and change.changed
    undo = f"/changes/{change.id}/undo"
    flash = Flash(Text("“%(title)s” is archived.", title=idea.title), undo) if is_gone else None
    if targets_element(request, f"idea-{idea_id}"):
        return changed_list(request, store, idea.board_id, [idea_id], flash)
    return redirect_back(request, f"/ideas/{idea_id}", flash)


@router.post("/ideas/{idea_id}/move")
def move_idea(idea_id: str, store: StoreDep, board_id: Annotated[str, Form()]) -> Response:
    change = store.changes.make(Move(operation="move", ids=[idea_id], board_id=board_id))
    moved = Text("Moved to the board “%(board)s”.", board=store.boards.get(board_id).name)
    return redirect(f"/ideas/{idea_id}", Flash(moved, f"/changes/{change.id}/undo"))


@router.post("/ideas/{idea_id}/delete")
def delete_idea(request: Request, idea_id: str, store: StoreDep) -> Response:
    idea = store.ideas.get(idea_id)
    store.ideas.delete(idea_id)
    deleted = Text("“%(title)s” is deleted.", title=idea.title)
    flash = Flash(deleted, f"/ideas/{idea_id}/restore")
    if targets_element(request, f"idea-{idea_id}"):
        return changed_list(request, store, idea.board_id, [idea_id], flash)
    return redirect(f"/boards/{idea.board_id}", flash)


@router.post("/ideas/{idea_id}/restore")
def restore_idea(request: Request, idea_id: str, store: StoreDep) -> Response:
    idea = store.ideas.restore(idea_id)
    restored = Text("“%(title)s” is back.", title=idea.title)
    return redirect_back(request, f"/ideas/{idea_id}", Flash(restored))


@router.post("/ideas/{idea_id}/versions/{number}/restore")
def restore_version(idea_id: str, number: int, store: StoreDep) -> Response:
    store.ideas.restore_version(idea_id, number)
    restored = Text("Restored version %(number)s.", number=number)
    return redirect(f"/ideas/{idea_id}", Flash(restored))


@router.post("/ideas/{idea_id}/brainstorm")
async def branch(
    request: Request,
    idea_id: str,
    store: StoreDep,
    runs: RunsDep,
    once: OnceDep,
    form: Annotated[BranchForm, Form()],
) -> Response:
    idea = await asyncio.to_thread(store.ideas.get, idea_id)
    task = validate_as(BrainstormTask, idea_id=idea_id, **form.model_dump())
    run_id = await RunStarter(request, runs, once).start(task)
    return redirect(f"/boards/{idea.board_id}?run={run_id}")


@router.post("/ideas/{idea_id}/refine")
async def refine(
    request: Request,
    idea_id: str,
    store: StoreDep,
    runs: RunsDep,
    once: OnceDep,
    form: Annotated[RefineForm, Form()],
) -> Response:
    idea = await asyncio.to_thread(store.ideas.get, idea_id)
    passage = form.passage(idea.body)
    task = validate_as(RefineTask, idea_id=idea_id, instruction=form.full_instruction, **passage)
    run_id = await RunStarter(request, runs, once).start(task)
    return redirect(f"/ideas/{idea_id}?run={run_id}")


@router.post("/ideas/{idea_id}/evaluate")
async def evaluate(
    request: Request,
    idea_id: str,
    runs: RunsDep,
    once: OnceDep,
    form: Annotated[EvaluateOneForm, Form()],
) -> Response:
    task = validate_as(EvaluateTask, idea_id=idea_id, rubric_id=form.rubric)
    run_id = await RunStarter(request, runs, once).start(task)
    return redirect(f"/ideas/{idea_id}?run={run_id}")


def _context(store: Store, idea: IdeaPublic) -> dict[str, Any]:
    evaluations = store.evaluations.of_idea(idea.id, limit=SHOWN_EVALUATIONS)
    newest = evaluations[0] if evaluations else None
    rubrics = store.rubrics.all(idea.board_id)
    shown = next((one.id for one in rubrics if one.is_shown), None)
    return {
        "idea": idea,
        "board": store.boards.get(idea.board_id),
        "writer": _writer(store, idea),
        "files": store.attachments.page(idea.id).items,
        "parent": store.ideas.titles([idea.parent_id or ""]),
        "evaluation": newest,
        "rubric": store.rubrics.name(newest.rubric_id) if newest and newest.rubric_id else None,
        "rubrics": rubrics,
        "evaluation_is_shown": newest is None or _is_by(newest, shown),
        "can_be_calibrated": newest is not None and _can_be_calibrated(newest),
        "earlier": evaluations[1:],
        "presets": PRESETS,
        "parts": [(each.start, each.of(idea.body)) for each in parts(idea.body)],
        "methods": METHODS,
        "most": store.limits.suggestions,
        "tags": store.ideas.tags(idea.board_id, limit=SHOWN_TAGS),
    }


def _near(similar_ideas: SimilarIdeas, idea: IdeaPublic) -> SimilarPublic | str:
    """The similar ideas, or why there are none: the rest of the page does not need them."""
    try:
        return similar_ideas.similar(idea)
    except ModelUnavailable as error:
        return error.detail


def _shown(store: Store, runs: Runs, idea: IdeaPublic, run_id: str | None) -> RunView | None:
    """The requested run, or else the newest one that is unfinished or awaits a decision."""
    if run_id is not None:
        return _seen_here(store, runs, idea, run_id)
    for run in store.runs.recent(idea_id=idea.id, limit=RECENT_RUNS):
        if run.kind == "brainstorm":
            continue
        is_under_way = run.status in UNFINISHED
        is_undecided = (run.kind, run.status, run.decision) == ("refine", "done", "open")
        if is_under_way or is_undecided:
            return _seen_here(store, runs, idea, run.run_id)
        if run.status == "done":
            # A newer run is done, so older proposals are out of date.
            return None
    return None


def _seen_here(store: Store, runs: Runs, idea: IdeaPublic, run_id: str) -> RunView | None:
    """None for a finished evaluation: the page shows it as the evaluation of the idea."""
    try:
        view = view_run(store, run_id, runs)
    except NotFound:
        return None
    is_here = view.run.idea_id == idea.id and view.kind.is_about_one_idea
    return view if is_here and (view.run.kind == "refine" or view.run.status != "done") else None


def _writer(store: Store, idea: IdeaPublic) -> str:
    """The model that wrote the idea which a person kept; empty if none did, or nobody has a name."""
    if idea.origin != "model" or idea.author is None:
        return ""
    run_id = store.ideas.first_run(idea.id)
    return "" if run_id is None else store.runs.get(run_id).model


def _can_be_calibrated(evaluation: EvaluationPublic) -> bool:
    """Whether a score is rough that a score head could give."""
    return any(
        one.name in evaluation.uncalibrated and is_usual(one.name, one.description)
        for one in evaluation.criteria
    )


def _is_by(evaluation: EvaluationPublic, rubric_id: str | None) -> bool:
    """None is the default rubric. Custom criteria of one evaluation belong to no rubric."""
    is_default = evaluation.scores.keys() == set(DEFAULT_NAMES)
    return evaluation.rubric_id == rubric_id and (rubric_id is not None or is_default)
