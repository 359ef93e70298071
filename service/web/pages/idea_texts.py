"""Routes for the text of an idea that do not edit it as a whole: ticking a box in it, and a preview."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from pydantic import AfterValidator, BaseModel

from service.schemas.fields import clean_line
from service.text.cleaning import clean_text
from service.web.dependencies import StoreDep
from service.web.markdown import ticked
from service.web.pages.forms import BoardAddress
from service.web.pages.responses import redirect_back, render, targets_element

router = APIRouter()
# What cannot be saved, because it is too long or blank, can still be previewed.
AnyText = Annotated[str, AfterValidator(clean_text)]
AnyLine = Annotated[str, AfterValidator(clean_line)]


class PreviewForm(BaseModel):
    """What is in the form of the editor, however far it has got."""

    title: AnyLine = ""
    body: AnyText = ""
    tags: AnyLine = ""
    revision: int = 1
    to: BoardAddress = ""


@router.post("/ideas/{idea_id}/ticks")
def tick_box(
    request: Request, idea_id: str, store: StoreDep, tick: Annotated[str, Form()]
) -> Response:
    """Ticks or unticks one box. What others changed elsewhere in the text meanwhile stays."""
    store.ideas.rewrite(idea_id, lambda body: ticked(body, tick))
    return redirect_back(request, f"/ideas/{idea_id}")


@router.post("/ideas/{idea_id}/preview")
def preview_text(
    request: Request, idea_id: str, store: StoreDep, form: Annotated[PreviewForm, Form()]
) -> Response:
    idea = store.ideas.get(idea_id)
    files = store.attachments.page(idea_id).items
    if targets_element(request, "preview"):
        return render(request, "ideas/_preview.html", {"mine": form, "files": files})
    tags = [tag.strip() for tag in form.tags.split(",") if tag.strip()]
    shown = idea.model_copy(update=form.model_dump(include={"title", "body", "revision"}))
    shown.tags = tags
    context = {
        "idea": shown,
        "mine": form,
        "files": files,
        "to": form.to,
        "tags": store.ideas.tags(idea.board_id),
    }
    return render(request, "ideas/idea_edit.html", context, board_id=idea.board_id)
