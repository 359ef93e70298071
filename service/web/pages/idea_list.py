"""The list of a board's ideas for a query: as a whole, or only the cards that changed."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from fastapi import Request, Response
from pydantic import ValidationError

from service.analysis.standings import rank_order
from service.schemas.idea_map import MapGrouping
from service.schemas.ideas import BoardPublic, IdeaPublic
from service.store import Store
from service.store.cursors import Page
from service.store.listing import IdeaQuery
from service.web.pages.board_layout import card_template
from service.web.pages.forms import BoardQuery, IdeaFilters
from service.web.pages.lanes import Lanes, lanes_of
from service.web.pages.responses import Flash, render
from service.web.pages.starting_point import starting_point

PAGE_SIZE = 30
MOST_LOADED = 300
# What an address says of one visit, and not of the list.
PASSING = {"cursor", "loaded", "run", "order", "select", "topic", "method", "more"}


def list_context(
    store: Store, board: BoardPublic, query: BoardQuery, selection: IdeaQuery
) -> dict[str, Any]:
    """The context of `_list.html` and `_bulk_bar.html`; `selection` is `query` for the store."""
    count, archived = _counts(store, query, selection)
    tags = store.ideas.tags(board.id)
    finds_all = not (query.is_narrowed or archived or store.rounds.open_on(board.id))
    tags_found = dict(tags) if finds_all else store.ideas.tags_found(selection)
    lanes = None
    if query.view == "lanes":
        lanes = lanes_of(store, query, selection, tags_found)
        page = Page(lanes.ideas, None)
    else:
        page = store.ideas.page(selection)
    has_archive = lanes is not None and lanes.by == "status"
    rubrics = store.rubrics.all(board.id)
    start = starting_point(board, rubrics)
    return {
        "board": board,
        "rubrics": rubrics,
        "start": start,
        "query": query,
        "corrected": "" if selection.q == query.q else selection.q,
        "page": page,
        "tags": start.with_tags(tags),
        "tags_found": tags_found,
        "lanes": lanes,
        "more_of": {} if lanes is None else _more_of(board.id, query, lanes),
        "view_links": view_links(board.id, query),
        "lane_links": _lane_links(board.id, query),
        "count": count,
        "in_trash": store.trash.count(board.id),
        "archived": 0 if has_archive else archived,
        "with_archived": address(board.id, query, status="any"),
        "more": address(board.id, query, cursor=page.cursor) if page.cursor else None,
        "here": address(board.id, query, cursor=query.cursor),
        "here_selected": address(board.id, query, cursor=query.cursor, select="shown"),
        "is_picked": query.select == "shown",
    }


def _counts(store: Store, query: BoardQuery, selection: IdeaQuery) -> tuple[int, int]:
    """How many ideas the query finds, and how many more it would find among archived ones."""
    if not query.hides_archived:
        return store.ideas.count(selection), 0
    # One query, as it takes as long as each of two.
    by_status = store.ideas.counts(replace(selection, archived=None))
    archived = by_status.pop("archived", 0)
    return sum(by_status.values()), archived


def _more_of(board_id: str, query: BoardQuery, lanes: Lanes) -> dict[str, str]:
    """The address that shows more cards of each lane that has more."""
    return {
        lane.key: address(board_id, query, more=[*query.more, lane.key])
        for lane in lanes.lanes
        if lane.has_more
    }


def view_links(board_id: str, query: BoardQuery) -> dict[str, str]:
    """The address of each view of the board, with its filters."""
    return {
        "cards": address(board_id, query, view="cards"),
        "list": address(board_id, query, view="list"),
        "lanes": address(board_id, query, view="lanes", by=query.by or "status"),
        "map": map_address(board_id, query),
    }


def map_address(board_id: str, query: BoardQuery, group: MapGrouping = "meaning") -> str:
    """The address of the board's map, with the search and the filters."""
    fields = query.model_dump(exclude_defaults=True, include=set(IdeaFilters.model_fields))
    if group != "meaning":
        fields["group"] = group
    return f"/boards/{board_id}/map" + (f"?{urlencode(fields, doseq=True)}" if fields else "")


def _lane_links(board_id: str, query: BoardQuery) -> dict[str, str]:
    """The addresses of the lanes, by what they can stand for."""
    return {by: address(board_id, query, view="lanes", by=by) for by in ("status", "tag")}


def card_page(request: Request, idea: IdeaPublic) -> Response:
    """A single card, as the view that the reader has shows it."""
    return render(request, card_template(current_query(request)), {"idea": idea})


def changed_list(
    request: Request,
    store: Store,
    board_id: str,
    changed: Sequence[str],
    flash: Flash | None,
    *,
    with_bar: bool = False,
) -> Response:
    """Updates the list that the reader sees: replaces changed cards, removes those that left it."""
    board, query = store.boards.get(board_id), current_query(request)
    selection = idea_query(store, board_id, query)
    context = list_context(store, board, query, selection)
    shown = store.ideas.among(selection, changed)
    still = {idea.id for idea in shown}
    gone = [idea_id for idea_id in changed if idea_id not in still]
    context |= {"is_picked": False, "shown": shown, "gone": gone, "flash": flash}
    template = "boards/_changed_lanes.html" if query.view == "lanes" else "boards/_changed.html"
    return render(request, template, context | {"with_bar": with_bar})


def idea_query(store: Store, board_id: str, query: BoardQuery) -> IdeaQuery:
    """The query for the store, with misspelt words corrected if no idea contains them."""
    selection = IdeaQuery(
        board=board_id,
        q=query.q,
        tags=query.tag,
        status=None if query.status == "any" else query.status,
        archived=False if query.hides_archived else None,
        star=query.star or None,
        sort=query.sort or "new",
        cursor=query.cursor or None,
        limit=PAGE_SIZE if query.cursor else max(PAGE_SIZE, min(query.loaded, MOST_LOADED)),
        ranked=rank_order(store, board_id) if query.sort == "rank" else {},
    )
    return store.search.corrected(selection) if query.q.strip() else selection


def address(board_id: str, query: BoardQuery, **more: str | Sequence[str] | None) -> str:
    """The board's address with the query's search, filters, order and view."""
    fields = query.model_dump(exclude_defaults=True, exclude=PASSING)
    fields |= {name: value for name, value in more.items() if value}
    return f"/boards/{board_id}" + (f"?{urlencode(fields, doseq=True)}" if fields else "")


def current_query(request: Request) -> BoardQuery:
    """The query of the board that the reader is on, from the address that htmx sends or, without
    scripts, the browser.
    """
    headers = request.headers
    parts = urlsplit(headers.get("HX-Current-URL") or headers.get("referer") or "")
    fields = {
        name: values if name in ("tag", "more") else values[-1]
        for name, values in parse_qs(parts.query, keep_blank_values=True).items()
        # The lane of ideas without tags has an empty name; other blank fields count as absent.
        if name == "more" or any(values)
    }
    try:
        return BoardQuery.model_validate(fields).model_copy(update={"cursor": None})
    except ValidationError:
        return BoardQuery()
