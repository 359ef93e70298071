"""The route of the map of a board."""

from typing import Annotated

from fastapi import APIRouter, Query

from service.schemas.fields import Status
from service.schemas.idea_map import MapGrouping, MapPublic
from service.store.listing import IdeaQuery
from service.web.api.ideas import Tags, Words
from service.web.api.shared import Id, problems
from service.web.dependencies import IdeaMapsDep

router = APIRouter(tags=["overview"])


@router.get(
    "/boards/{board_id}/map",
    operation_id="getBoardMap",
    summary="Get the places of a board's ideas on a map by meaning",
    description="Ideas that mean much the same are near each other. `group` says what the areas stand "
    "for: groups of similar ideas, or the 12 most used tags; an idea with several of them is in the area "
    "of the one that fewest ideas have. The same texts and groups always give the same places, and "
    "filters move no idea. The board's 1,000 newest ideas have places. Archived ideas are left out, "
    "unless `archived` or `status` asks for them. To put an idea into an area is to give it a tag: use "
    "`updateIdea`.",
    responses=problems(404, 503),
)
def get_board_map(
    board_id: Id,
    maps: IdeaMapsDep,
    tag: Tags,
    q: Words = "",
    status: Status | None = None,
    archived: Annotated[
        bool | None,
        Query(
            description="`true` also shows archived ideas. By default only `status` asks for them."
        ),
    ] = None,
    star: bool | None = None,
    group: MapGrouping = "meaning",
) -> MapPublic:
    selection = IdeaQuery(
        board=board_id,
        q=q,
        tags=tag,
        status=status,
        archived=None if archived or status is not None else False,
        star=star,
    )
    return maps.map_of(selection, group)
