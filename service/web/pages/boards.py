"""Routes for boards: list, create, change and delete them, add ideas and brainstorm."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response

from service.actor import ACTOR
from service.messages import Counted, Text
from service.prompts.methods import METHODS
from service.runs.service import Runs
from service.schemas.brainstorm import BrainstormTask
from service.schemas.fields import FACT_CEILING
from service.schemas.ideas import BoardCreate, BoardPublic, BoardUpdate, IdeaCreate
from service.store import Store
from service.web.dependencies import RunsDep, SettingsDep, StoreDep
from service.web.pages.board_layout import remember_layout, with_layout
from service.web.pages.brainstorm_forms import BrainstormForm, CombineForm
from service.web.pages.confirmation import Confirmation, confirmation_page
from service.web.pages.forms import BoardForm, BoardQuery, NewIdeaForm
from service.web.pages.idea_list import address, idea_query, list_context
from service.web.pages.idempotency import OnceDep
from service.web.pages.kept_pages import KeptPagesDep
from service.web.pages.responses import Flash, current_address, redirect, render
from service.web.pages.start_run import RunStarter, validate_as
from service.web.pages.topics import topics
from service.web.pages.trash import days_left
from service.web.pages.under_way import runs_under_way
from service.web.pages.views import shown_run

RECENT_RUNS = 4
SORT_NAMES = {
    "new": Text("Newest"),
    "old": Text("Oldest"),
    "updated": Text("Last changed"),
    "score": Text("Best score"),
    "likes": Text("Most liked"),
    "rank": Text("Ranking"),
    "title": Text("Title"),
    "place": Text("Manual order"),
}
router = APIRouter()


@router.get("/")
def home(store: StoreDep) -> Response:
    boards = store.boards.all()
    if not boards and ACTOR.get().role is None:
        # Whoever has no role on any board is told so there.
        return redirect("/me")
    board = boards[0] if boards else store.boards.ensure_one()
    return redirect(f"/boards/{board.id}")


@router.get("/boards")
def show_boards(request: Request, store: StoreDep, settings: SettingsDep) -> Response:
    context = {
        "boards": store.boards.overview(),
        "deleted": [
            (board, days_left(board.deleted_at, settings.trash_days))
            for board in store.boards.overview(deleted=True)
        ],
        "days": settings.trash_days,
    }
    return render(request, "boards/boards.html", context)


@router.post("/boards")
def create_board(store: StoreDep, form: Annotated[BoardForm, Form()]) -> Response:
    board = store.boards.create(BoardCreate(name=form.name, goal=form.goal))
    return redirect(
        f"/boards/{board.id}", Flash(Text("The board “%(name)s” is ready.", name=board.name))
    )


@router.get("/boards/{board_id}")
def show_board(
    request: Request,
    board_id: str,
    store: StoreDep,
    runs: RunsDep,
    kept_pages: KeptPagesDep,
    query: Annotated[BoardQuery, Query()],
) -> Response:
    query = with_layout(request, query)

    def make() -> Response:
        return _board_page(request, store, runs, store.boards.get(board_id), query)

    response = kept_pages.page(request, board_id, make)
    return remember_layout(request, response, board_id, query)


def _board_page(
    request: Request, store: Store, runs: Runs, board: BoardPublic, query: BoardQuery
) -> Response:
    under_way = store.runs.unfinished(board.id, "evaluate-all")
    if query.run is None and under_way is not None:
        # The run is in the address, so that a page loaded after its end still shows its outcome.
        more = {"cursor": query.cursor, "select": query.select, "run": under_way}
        more["loaded"] = str(query.loaded) if query.loaded else None
        return redirect(address(board.id, query, **more))
    # Read the run before the ideas: if it ends in between, its results are still on this page.
    view = shown_run(store, runs, query.run, best_first=query.order is None)
    with store.one_view():
        context = _board_context(store, board, query) | {
            "view": view,
            "under_way": runs_under_way(store, board.id, shown=view),
        }
        return render(request, "boards/board.html", context, board_id=board.id)


@router.post("/boards/{board_id}")
def update_board(board_id: str, store: StoreDep, form: Annotated[BoardForm, Form()]) -> Response:
    store.boards.update(board_id, BoardUpdate(**form.model_dump()))
    return redirect(f"/boards/{board_id}", Flash(Text("Saved.")))


@router.post("/boards/{board_id}/delete")
def delete_board(request: Request, board_id: str, store: StoreDep) -> Response:
    name = store.boards.get(board_id).name
    store.boards.delete(board_id)
    deleted = Text("The board “%(name)s” is deleted.", name=name)
    overview = "/boards"
    to = overview if current_address(request, "/") == overview else "/"
    return redirect(to, Flash(deleted, f"/boards/{board_id}/restore"))


@router.post("/boards/{board_id}/restore")
def restore_board(board_id: str, store: StoreDep) -> Response:
    board = store.boards.restore(board_id)
    back = Text("The board “%(name)s” is back.", name=board.name)
    return redirect(f"/boards/{board_id}", Flash(back))


@router.get("/boards/{board_id}/delete-for-good")
def ask_before_deletion(request: Request, board_id: str, store: StoreDep) -> Response:
    found = [one for one in store.boards.overview(deleted=True) if one.id == board_id]
    if not found:
        return redirect("/boards")
    question = Confirmation(
        title=Text("Delete the board “%(name)s” for good?", name=found[0].name),
        detail=Counted(
            "Its %(count)s idea and everything else on it are deleted too. You cannot undo this.",
            "Its %(count)s ideas and everything else on it are deleted too. You cannot undo this.",
            found[0].ideas,
        ),
        button=Text("Delete for good"),
        action=f"/boards/{board_id}/delete-for-good",
        cancel="/boards",
    )
    return confirmation_page(request, question)


@router.post("/boards/{board_id}/delete-for-good")
def delete_for_good(board_id: str, store: StoreDep) -> Response:
    store.trash.purge_board(board_id)
    return redirect("/boards", Flash(Text("The board is deleted for good.")))


@router.post("/boards/{board_id}/ideas")
async def add_idea(
    board_id: str,
    store: StoreDep,
    once: OnceDep,
    form: Annotated[NewIdeaForm, Form()],
) -> Response:
    shape = IdeaCreate(board_id=board_id, **form.model_dump())

    async def create() -> str:
        return (await asyncio.to_thread(store.ideas.create, shape)).title

    title = await once.do(repr(shape), create)
    return redirect(f"/boards/{board_id}", Flash(Text("Added “%(title)s”.", title=title)))


@router.post("/boards/{board_id}/brainstorm")
async def brainstorm(
    request: Request,
    board_id: str,
    runs: RunsDep,
    once: OnceDep,
    form: Annotated[BrainstormForm, Form()],
) -> Response:
    task = validate_as(BrainstormTask, board_id=board_id, **form.task)
    run_id = await RunStarter(request, runs, once).start(task)
    return redirect(f"/boards/{board_id}?run={run_id}")


@router.post("/boards/{board_id}/combine")
async def combine(
    request: Request,
    board_id: str,
    runs: RunsDep,
    once: OnceDep,
    form: Annotated[CombineForm, Form()],
) -> Response:
    task = validate_as(
        BrainstormTask, board_id=board_id, idea_ids=form.ids, method=form.method, n=form.n
    )
    run_id = await RunStarter(request, runs, once).start(task)
    # The button is at the bottom of the page, so scroll to the run.
    return redirect(f"/boards/{board_id}?run={run_id}#run")


def _board_context(store: Store, board: BoardPublic, query: BoardQuery) -> dict[str, Any]:
    recent = store.runs.recent(
        board_id=board.id, kind="brainstorm", has_ideas=True, limit=RECENT_RUNS
    )
    return list_context(store, board, query, idea_query(store, board.id, query)) | {
        "methods": METHODS,
        "open_round": store.rounds.open_on(board.id),
        "waits_for_people": store.rounds.waiting_for_people(board.id),
        "sorts": SORT_NAMES,
        "most": store.limits.suggestions,
        "most_in_a_fact": FACT_CEILING,
        "recent": recent,
        "topics": topics(store, recent),
    }
