"""Routes for ideas, their versions and their evaluations."""

from contextlib import suppress
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Body, Header, Path, Query, Request, Response, status
from pydantic import Field

from service.actor import Role
from service.analysis.standings import rank_order
from service.errors import InvalidInput, NotFound
from service.messages import Text
from service.schemas.evaluation import EvaluationPublic
from service.schemas.fields import TAG_CEILING, TAGS_CEILING, Sort, Status, clean_line
from service.schemas.ideas import IdeaCreate, IdeaPublic, IdeaUpdate, VersionPublic
from service.schemas.places import PLACE_EXAMPLES, IdeaPlace
from service.store import Store
from service.store.access import require
from service.store.listing import IdeaQuery
from service.store.places import LaneEdit, Spot
from service.transfer.handover import hand_over, idea_markdown
from service.web.api.idempotency import KeyedRoute
from service.web.api.shared import (
    NEXT_PAGE,
    Cursor,
    ForGood,
    Id,
    PagingDep,
    RevisionDep,
    link_next,
    links,
    problems,
    tag,
)
from service.web.dependencies import OriginDep, StoreDep

Tags = Annotated[
    list[Annotated[str, Field(max_length=TAG_CEILING)]],
    Query(
        default_factory=list,
        max_length=TAGS_CEILING,
        description="Can be repeated; an idea must have all the given tags.",
    ),
]
Words = Annotated[
    str,
    Query(
        max_length=200,
        description="The words to search for. An idea must contain all of them, or words that "
        "begin with them.",
    ),
]
router = APIRouter(prefix="/ideas", tags=["ideas"], route_class=KeyedRoute)
_PAGE_OF_IDEAS: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": NEXT_PAGE[200]["headers"]
        | {
            "Corrected-Search": {
                "description": "The words that were searched for because no idea contains those of "
                "`q`, percent-encoded as in a URL.",
                "schema": {"type": "string"},
            }
        }
    }
}


@router.get(
    "",
    operation_id="listIdeas",
    summary="Search and list ideas",
    description='The header `Link: <…>; rel="next"` leads to the next page; the last page has '
    "none. `sort=likes` puts the most liked idea first. `sort=place` is the order that people gave the "
    "ideas of a board, which `placeIdea` changes. `sort=rank` sorts by people's votes and needs "
    "`board`. `deleted=true` lists the trash; with `sort=updated`, the most recently deleted idea comes "
    "first. If no idea contains the words of `q`, misspelt words are corrected; then the header "
    "`Corrected-Search` has the words that were searched for instead.",
    responses=_PAGE_OF_IDEAS,
)
def list_ideas(
    request: Request,
    response: Response,
    store: StoreDep,
    tag: Tags,
    q: Words = "",
    exact: Annotated[
        bool,
        Query(description="`true` searches for the words as they are written, misspelt or not."),
    ] = False,
    board: Annotated[str | None, Query(max_length=64)] = None,
    round: Annotated[
        str | None, Query(max_length=64, description="Only ideas of this writing round.")
    ] = None,
    status: Status | None = None,
    archived: Annotated[
        bool | None, Query(description="`false` leaves out archived ideas; `true` lists only them.")
    ] = None,
    star: bool | None = None,
    deleted: Annotated[
        bool, Query(description="`true` lists the ideas in the trash instead of the others.")
    ] = False,
    sort: Sort = "new",
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 30,
) -> list[IdeaPublic]:
    if deleted:
        require(Role.EDITOR, board or "")
    if sort == "rank" and board is None:
        raise InvalidInput(Text("`sort=rank` needs `board`."), pointer="/board")
    query = IdeaQuery(
        board=board,
        round=round,
        q=clean_line(q),
        tags=[clean_line(each) for each in tag],
        status=status,
        archived=archived,
        star=star,
        deleted=deleted,
        sort=sort,
        cursor=cursor,
        limit=limit,
        ranked=_ranked(store, board) if board and sort == "rank" else {},
    )
    with store.one_view():
        if query.q and not exact:
            written, query = query.q, store.search.corrected(query)
            if query.q != written:
                response.headers["Corrected-Search"] = quote(query.q)
        return link_next(request, response, store.ideas.page(query))


def _ranked(store: Store, board_id: str) -> dict[str, int]:
    """Each idea's rank by people's votes; empty for an unknown board, as its list of ideas is."""
    with suppress(NotFound):
        return rank_order(store, board_id)
    return {}


@router.post(
    "",
    operation_id="createIdea",
    summary="Add an idea",
    status_code=status.HTTP_201_CREATED,
    responses=problems(404)
    | links(
        201,
        "id",
        getIdea="idea_id",
        updateIdea="idea_id",
        deleteIdea="idea_id",
        listVersions="idea_id",
        listEvaluations="idea_id",
    ),
)
def create_idea(shape: IdeaCreate, store: StoreDep, response: Response) -> IdeaPublic:
    idea = store.ideas.create(shape)
    response.headers["Location"] = f"/api/v1/ideas/{idea.id}"
    return tag(response, idea)


@router.get(
    "/{idea_id}",
    operation_id="getIdea",
    summary="Get an idea",
    response_model=IdeaPublic,
    description="`Accept: text/markdown` asks for Markdown, as `exportIdea` gives it.",
    responses=problems(404)
    | {304: {"description": "The idea has not changed since the `ETag` in `If-None-Match`."}},
)
def get_idea(
    idea_id: Id,
    store: StoreDep,
    origin: OriginDep,
    response: Response,
    if_none_match: Annotated[str | None, Header(max_length=200)] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> IdeaPublic | Response:
    response.headers["Vary"] = "Accept"
    if accept.partition(",")[0].partition(";")[0].strip().lower() == "text/markdown":
        text = idea_markdown(hand_over(store, idea_id, origin))
        return Response(text, media_type="text/markdown", headers={"Vary": "Accept"})
    idea = tag(response, store.ideas.get(idea_id))
    etag = response.headers["ETag"]
    if if_none_match is not None and etag in if_none_match:
        return Response(
            status_code=status.HTTP_304_NOT_MODIFIED, headers={"ETag": etag, "Vary": "Accept"}
        )
    return idea


@router.patch(
    "/{idea_id}",
    operation_id="updateIdea",
    summary="Change an idea",
    description="A changed title or body becomes a new version. Send the `ETag` that you read as "
    "`If-Match`, so that you do not overwrite changes that you have not seen.",
    responses=problems(404, 412),
)
def update_idea(
    idea_id: Id, shape: IdeaUpdate, store: StoreDep, response: Response, revision: RevisionDep
) -> IdeaPublic:
    return tag(response, store.ideas.update(idea_id, shape, revision=revision))


@router.post(
    "/{idea_id}/place",
    operation_id="placeIdea",
    summary="Put an idea elsewhere in the order of its board",
    description="One order holds for the whole board, and for each lane of it: `sort=place` lists it. "
    "`status` or `tags` change the idea in the same step, as `updateIdea` does, and give it a new "
    "`ETag`. A new place alone is no edit: the `ETag` stays, and `If-Match` is only about edits.",
    responses=problems(404, 412),
)
def place_idea(
    idea_id: Id,
    shape: Annotated[IdeaPlace, Body(openapi_examples=PLACE_EXAMPLES)],
    store: StoreDep,
    response: Response,
    revision: RevisionDep,
) -> IdeaPublic:
    spot = Spot(before=shape.before, after=shape.after)
    edit = LaneEdit(status=shape.status, tags=shape.tags)
    return tag(response, store.places.move(idea_id, spot, edit, revision=revision)[0])


@router.delete(
    "/{idea_id}",
    operation_id="deleteIdea",
    summary="Delete an idea",
    description="Moves the idea to the trash of its board. `restore` undoes it, until the idea is "
    "deleted with `for_good=true` or the time is over for which deleted ideas are kept.",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(404, 409, 412),
)
def delete_idea(
    idea_id: Id, store: StoreDep, revision: RevisionDep, for_good: ForGood = False
) -> None:
    if for_good:
        require(Role.OWNER)
        store.trash.purge_idea(idea_id, revision=revision)
    else:
        store.ideas.delete(idea_id, revision=revision)


@router.post(
    "/{idea_id}/restore",
    operation_id="restoreIdea",
    summary="Undo the deletion of an idea",
    responses=problems(404),
)
def restore_idea(idea_id: Id, store: StoreDep, response: Response) -> IdeaPublic:
    return tag(response, store.ideas.restore(idea_id))


@router.get(
    "/{idea_id}/versions",
    operation_id="listVersions",
    summary="List the versions of an idea, newest first",
    responses=problems(404) | NEXT_PAGE,
)
def list_versions(idea_id: Id, store: StoreDep, paging: PagingDep) -> list[VersionPublic]:
    return paging.items(store.ideas.version_page(idea_id, paging.wanted))


@router.post(
    "/{idea_id}/versions/{number}/restore",
    operation_id="restoreVersion",
    summary="Restore an old version of an idea as its newest",
    responses=problems(404, 412),
)
def restore_version(
    idea_id: Id,
    number: Annotated[int, Path(ge=1, lt=2**31)],
    store: StoreDep,
    response: Response,
    revision: RevisionDep,
) -> IdeaPublic:
    return tag(response, store.ideas.restore_version(idea_id, number, revision=revision))


@router.get(
    "/{idea_id}/evaluations",
    operation_id="listEvaluations",
    summary="List the evaluations of an idea, newest first",
    responses=problems(404) | NEXT_PAGE,
)
def list_evaluations(idea_id: Id, store: StoreDep, paging: PagingDep) -> list[EvaluationPublic]:
    store.ideas.get(idea_id)
    return paging.items(store.evaluations.page(idea_id, paging.wanted))
