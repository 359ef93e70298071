"""The command palette, and the page that does the same without JavaScript."""

import re
from typing import Annotated, Any, cast

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from service.errors import Conflict, NotFound
from service.messages import Text
from service.schemas.fields import clean_line
from service.schemas.ideas import BoardPublic, IdeaPublic
from service.settings import Settings
from service.store import Store
from service.store.idea_search import FoundIdea
from service.web.dependencies import SettingsDep, StoreDep
from service.web.pages.commands import (
    Command,
    Group,
    about_board,
    about_idea,
    about_typed,
    boards_of,
    places,
    preferences,
)
from service.web.pages.responses import fragment, render
from service.web.templating import Templates, language_of

MOST_FOUND, MOST_RECENT, MOST_ON_PAGE = 8, 6, 50
Words = Annotated[str, Query(max_length=2000)]
Id = Annotated[str, Query(max_length=64)]
_WORD = re.compile(r"\w+")
router = APIRouter()


class PaletteQuery(BaseModel):
    """`board` is the board of the page, `idea` the one that the page shows, if `is_open`, or whose card
    has the focus. `seen` has the ids of boards and ideas that were visited last.
    """

    q: Words = ""
    board: Id = ""
    idea: Id = ""
    is_open: bool = False
    seen: Annotated[list[str], Query(default_factory=list, max_length=20)]


@router.get("/palette")
def show_palette(
    request: Request,
    store: StoreDep,
    settings: SettingsDep,
    query: Annotated[PaletteQuery, Query()],
) -> Response:
    """The commands and what was visited last or, if something was typed, the ideas with these words."""
    q = clean_line(query.q)
    if q:
        html = fragment(request, "palette/_found.html", _found(store, q, query.board, MOST_FOUND))
    else:
        board = _board(store, query.board)
        context = {
            "board": board,
            "groups": _groups(request, store, settings, query, board),
            "typed": [*about_typed(board)],
        }
        html = fragment(request, "palette/_commands.html", context)
    return HTMLResponse(html, headers={"Cache-Control": "private, no-store"})


@router.get("/search")
def show_search(
    request: Request,
    store: StoreDep,
    settings: SettingsDep,
    query: Annotated[PaletteQuery, Query()],
) -> Response:
    q = clean_line(query.q)
    board = _board(store, query.board)
    groups = _groups(request, store, settings, query, board)
    context: dict[str, Any] = {
        "board": board,
        "typed": [*about_typed(board)] if q else [],
        "groups": [group for each in groups if (group := _fitting(request, each, q)).commands],
    }
    context |= _found(store, q, query.board, MOST_ON_PAGE)
    board_id = board.id if board else None
    return render(request, "palette/search.html", context, board_id=board_id)


def _groups(
    request: Request,
    store: Store,
    settings: Settings,
    query: PaletteQuery,
    board: BoardPublic | None,
) -> list[Group]:
    boards = store.boards.all()
    idea = _idea(store, query.idea)
    groups = [Group("recent", Text("Recent"), _recent(store, boards, query, board))]
    if idea is not None:
        name = Text("Idea: %(title)s", title=idea.title)
        groups.insert(0, Group("idea", name, [*about_idea(idea, is_open=query.is_open)]))
    if board is not None:
        name = Text("Board: %(name)s", name=board.name)
        groups.append(Group("board", name, [*about_board(board)]))
    shows_people = settings.needs_key or store.people.any()
    go = [
        *boards_of(boards, board),
        *places(shows_people=shows_people, has_doctor=settings.shows_itself),
    ]
    groups.append(Group("go", Text("Go to"), go))
    has_shortcuts = request.cookies.get("shortcuts") != "off"
    groups.append(Group("prefer", Text("Preferences"), [*preferences(has_shortcuts)]))
    return [group for group in groups if group.commands]


def _recent(
    store: Store, boards: list[BoardPublic], query: PaletteQuery, here: BoardPublic | None
) -> list[Command]:
    """What was visited last or, for who has visited nothing yet, the ideas that changed last."""
    elsewhere = [one for one in query.seen if one not in (query.idea, here.id if here else "")]
    seen_boards = {one.address: one for one in boards_of(boards, here)}
    seen_ideas = {f"/ideas/{one.id}": as_command(one) for one in store.search.these(elsewhere)}
    known = seen_boards | seen_ideas
    found = [
        known[address]
        for one in elsewhere
        for address in (f"/boards/{one}", f"/ideas/{one}")
        if address in known
    ]
    if not found:
        changed = store.search.everywhere("", near=None, limit=MOST_RECENT).ideas
        found = [as_command(one) for one in changed if one.id != query.idea]
    return found[:MOST_RECENT]


def as_command(idea: FoundIdea) -> Command:
    hint = idea.board_name
    if idea.status == "archived":
        hint = Text("%(board)s, archived", board=idea.board_name)
    return Command(idea.title, "idea", f"/ideas/{idea.id}", hint=hint)


def _found(store: Store, q: str, near: str, limit: int) -> dict[str, Any]:
    if not q:
        return {"q": "", "corrected": "", "found": [], "has_more": False}
    matches = store.search.everywhere(q, near=near or None, limit=limit + 1)
    return {
        "q": q,
        "corrected": matches.q if matches.q != q else "",
        "found": [as_command(idea) for idea in matches.ideas[:limit]],
        "has_more": len(matches.ideas) > limit,
    }


def _fitting(request: Request, group: Group, q: str) -> Group:
    """The commands that contain each word, or words that begin with it, in the reader's language."""
    templates = cast(Templates, request.app.state.templates)
    translate = templates.environment(language_of(request)).filters["translate"]
    wanted = _WORD.findall(q.casefold())

    def fits(command: Command) -> bool:
        texts = (translate(command.label), translate(command.words), translate(command.hint))
        words = _WORD.findall(" ".join(map(str, texts)).casefold())
        return all(any(word.startswith(one) for word in words) for one in wanted)

    if group.id == "recent" and q:
        return Group(group.id, group.name, [])
    return Group(group.id, group.name, [one for one in group.commands if fits(one)])


def _board(store: Store, board_id: str) -> BoardPublic | None:
    """None, too, if it was deleted after the page was loaded: one can still go elsewhere."""
    try:
        return store.boards.get(board_id) if board_id else None
    except NotFound:
        return None


def _idea(store: Store, idea_id: str) -> IdeaPublic | None:
    try:
        return store.ideas.get(idea_id) if idea_id else None
    except (Conflict, NotFound):
        return None
