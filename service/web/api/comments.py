"""Routes for what people make of an idea: likes and comments."""

from fastapi import APIRouter, Response, status

from service.schemas.comments import CommentCreate, CommentPublic, CommentUpdate
from service.schemas.ideas import IdeaPublic
from service.web.api.idempotency import KeyedRoute
from service.web.api.shared import NEXT_PAGE, Id, PagingDep, RevisionDep, links, problems, tag
from service.web.dependencies import StoreDep

router = APIRouter(tags=["comments"], route_class=KeyedRoute)
_ID = "comment_id"


@router.put(
    "/ideas/{idea_id}/like",
    operation_id="likeIdea",
    summary="Like an idea",
    description="Each person has one like for an idea; twice is the same as once. Returns the idea.",
    responses=problems(404),
)
def like_idea(idea_id: Id, store: StoreDep, response: Response) -> IdeaPublic:
    return tag(response, store.likes.set(idea_id, liked=True))


@router.delete(
    "/ideas/{idea_id}/like",
    operation_id="unlikeIdea",
    summary="Take back your like of an idea",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(404),
)
def unlike_idea(idea_id: Id, store: StoreDep) -> None:
    store.likes.set(idea_id, liked=False)


@router.get(
    "/ideas/{idea_id}/comments",
    operation_id="listComments",
    summary="List the comments on an idea, oldest first",
    responses=problems(404) | NEXT_PAGE,
)
def list_comments(idea_id: Id, store: StoreDep, paging: PagingDep) -> list[CommentPublic]:
    return paging.items(store.comments.page(idea_id, paging.wanted))


@router.post(
    "/ideas/{idea_id}/comments",
    operation_id="createComment",
    summary="Comment on an idea",
    description="The text is Markdown with up to 4,000 characters. It is stored as it is; pages show it "
    "without raw HTML and images.",
    status_code=status.HTTP_201_CREATED,
    responses=problems(404)
    | links(201, "id", getComment=_ID, updateComment=_ID, deleteComment=_ID),
)
def create_comment(
    idea_id: Id, shape: CommentCreate, store: StoreDep, response: Response
) -> CommentPublic:
    comment = store.comments.add(idea_id, shape)
    response.headers["Location"] = f"/api/v1/comments/{comment.id}"
    return tag(response, comment)


@router.get(
    "/comments/{comment_id}",
    operation_id="getComment",
    summary="Get a comment",
    responses=problems(404),
)
def get_comment(comment_id: Id, store: StoreDep, response: Response) -> CommentPublic:
    return tag(response, store.comments.get(comment_id))


@router.patch(
    "/comments/{comment_id}",
    operation_id="updateComment",
    summary="Change a comment of your own",
    description="Send the `ETag` that you read as `If-Match`, so that you do not overwrite a change that "
    "you have not seen.",
    responses=problems(404, 412),
)
def update_comment(
    comment_id: Id,
    shape: CommentUpdate,
    store: StoreDep,
    response: Response,
    revision: RevisionDep,
) -> CommentPublic:
    return tag(response, store.comments.update(comment_id, shape, revision=revision))


@router.delete(
    "/comments/{comment_id}",
    operation_id="deleteComment",
    summary="Delete a comment",
    description="One of your own or, as an owner of the board, anybody's. `restore` undoes it for a day; "
    "then the text is deleted for good.",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(404, 412),
)
def delete_comment(comment_id: Id, store: StoreDep, revision: RevisionDep) -> None:
    store.comments.delete(comment_id, revision=revision)


@router.post(
    "/comments/{comment_id}/restore",
    operation_id="restoreComment",
    summary="Undo the deletion of a comment",
    responses=problems(404),
)
def restore_comment(comment_id: Id, store: StoreDep, response: Response) -> CommentPublic:
    return tag(response, store.comments.restore(comment_id))
