"""The map of a board: ideas by meaning, groups as areas, and the same as a list."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from service.schemas.idea_map import MapGrouping
from service.web.dependencies import IdeaMapsDep, StoreDep
from service.web.map_drawing import CARD_HEIGHT, CARD_WIDTH, draw
from service.web.pages.forms import BoardQuery, IdeaFilters
from service.web.pages.idea_list import idea_query, map_address, view_links
from service.web.pages.responses import render

router = APIRouter()


class MapQuery(IdeaFilters):
    """`group` says what the areas stand for."""

    group: MapGrouping = "meaning"

    @property
    def filters(self) -> BoardQuery:
        return BoardQuery(**self.model_dump(include=set(IdeaFilters.model_fields)))


@router.get("/boards/{board_id}/map")
def show_map(
    request: Request,
    board_id: str,
    store: StoreDep,
    maps: IdeaMapsDep,
    query: Annotated[MapQuery, Query()],
) -> Response:
    board = store.boards.get(board_id)
    filters = query.filters
    selection = idea_query(store, board_id, filters)
    found = maps.map_of(selection, query.group)
    context: dict[str, Any] = {
        "board": board,
        "query": filters,
        "by": query.group,
        "found": found,
        "drawing": draw(found),
        "size": {"card_width": CARD_WIDTH, "card_height": CARD_HEIGHT},
        "tags": store.ideas.tags(board_id),
        "corrected": "" if selection.q == filters.q else selection.q,
        "view_links": view_links(board_id, filters),
        "groupings": [
            (one, map_address(board_id, filters, one), one == query.group)
            for one in ("meaning", "tag")
        ],
    }
    return render(request, "boards/map.html", context, board_id=board_id)
