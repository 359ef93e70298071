"""Routes for what people make of an idea: likes and comments."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response, status

from service.errors import LostUpdate
from service.messages import Text
from service.schemas.comments import CommentCreate, CommentUpdate
from service.web.dependencies import StoreDep
from service.web.pages.forms import CommentEdit, CommentForm
from service.web.pages.idea_list import card_page
from service.web.pages.idea_past import comment_address
from service.web.pages.responses import Flash, redirect, redirect_back, render, targets_element

router = APIRouter()


@router.post("/ideas/{idea_id}/like")
def like_idea(
    request: Request, idea_id: str, store: StoreDep, like: Annotated[bool, Form()]
) -> Response:
    idea = store.likes.set(idea_id, liked=like)
    if targets_element(request, f"idea-{idea_id}"):
        return card_page(request, idea)
    return redirect_back(request, f"/ideas/{idea_id}")


@router.post("/ideas/{idea_id}/comments")
def add_comment(idea_id: str, store: StoreDep, form: Annotated[CommentForm, Form()]) -> Response:
    comment = store.comments.add(idea_id, CommentCreate(body=form.body))
    return redirect(comment_address(store, idea_id, comment.id))


@router.get("/comments/{comment_id}")
def show_comment(comment_id: str, store: StoreDep) -> Response:
    """A comment has no page of its own, so this redirects to its place below the idea."""
    return redirect(comment_address(store, store.comments.get(comment_id).idea_id, comment_id))


@router.post("/comments/{comment_id}")
def save_comment(
    request: Request, comment_id: str, store: StoreDep, form: Annotated[CommentEdit, Form()]
) -> Response:
    shape = CommentUpdate(body=form.body)
    try:
        saved = store.comments.update(comment_id, shape, revision=form.revision)
    except LostUpdate:
        # Typed text must not be lost, so the page shows both texts to merge by hand.
        theirs = store.comments.get(comment_id)
        idea = store.ideas.get(theirs.idea_id)
        return render(
            request,
            "ideas/comment_conflict.html",
            {"comment": theirs, "mine": form, "idea": idea},
            board_id=idea.board_id,
            status_code=status.HTTP_409_CONFLICT,
        )
    return redirect(comment_address(store, saved.idea_id, comment_id), Flash(Text("Saved.")))


@router.post("/comments/{comment_id}/delete")
def delete_comment(comment_id: str, store: StoreDep) -> Response:
    gone = store.comments.delete(comment_id)
    flash = Flash(Text("The comment is deleted."), f"/comments/{comment_id}/restore")
    return redirect(f"/ideas/{gone.idea_id}", flash)


@router.post("/comments/{comment_id}/restore")
def restore_comment(comment_id: str, store: StoreDep) -> Response:
    back = store.comments.restore(comment_id)
    return redirect(
        comment_address(store, back.idea_id, comment_id), Flash(Text("The comment is back."))
    )
