"""Routes for the pages of the webhooks and of what was sent to them."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import BaseModel, Field

from service.messages import Text
from service.schemas.webhooks import (
    EventKind,
    WebAddress,
    WebhookCreate,
    WebhookFormat,
    WebhookUpdate,
)
from service.store.cursors import PageOf
from service.web.dependencies import OriginDep, StoreDep, WebhooksDep
from service.web.pages.confirmation import Confirmation, confirmation_page
from service.web.pages.forms import OptionalId
from service.web.pages.responses import Flash, redirect, render

PAGE_SIZE = 30
KIND_NAMES: dict[Text, dict[EventKind, Text]] = {
    Text("Ideas"): {
        "idea.created": Text("added"),
        "idea.changed": Text("changed"),
        "idea.moved": Text("moved to another board"),
        "idea.deleted": Text("deleted"),
        "idea.restored": Text("restored"),
        "like.changed": Text("liked, or not any more"),
    },
    Text("Comments"): {
        "comment.created": Text("written"),
        "comment.changed": Text("changed"),
        "comment.deleted": Text("deleted"),
    },
    Text("Comparisons"): {
        "comparison.made": Text("made"),
        "comparison.deleted": Text("taken back"),
    },
    Text("Runs of the model"): {
        "run.started": Text("started"),
        "run.ended": Text("ended"),
        "run.decided": Text("accepted or rejected"),
    },
    Text("Writing rounds"): {
        "round.started": Text("started"),
        "round.changed": Text("changed"),
        "round.ended": Text("ended"),
    },
    Text("Boards"): {
        "board.created": Text("made"),
        "board.changed": Text("changed"),
        "board.deleted": Text("deleted"),
        "board.restored": Text("restored"),
        "rubric.changed": Text("criteria changed"),
    },
}
FORMAT_NAMES: dict[WebhookFormat, Text] = {
    "standard": Text("Standard Webhooks, with all facts"),
    "slack": Text("One line for Slack, Mattermost or Discord"),
}
OFF_REASONS = {
    "": Text("Switched off."),
    "gone": Text("Switched off, because the receiver answered that it is gone for good (410)."),
    "failing": Text("Switched off, because nothing has arrived for days."),
}
router = APIRouter(prefix="/webhooks")


class WebhookChanges(BaseModel):
    """No `kind` means all of them."""

    url: WebAddress
    format: WebhookFormat = "standard"
    kind: list[EventKind] = Field(default_factory=list)


class WebhookForm(WebhookChanges):
    board: OptionalId = None


class SwitchForm(BaseModel):
    on: bool


@router.get("")
def show_webhooks(request: Request, store: StoreDep) -> Response:
    context = {
        "webhooks": store.webhooks.all(),
        "board_names": {board.id: board.name for board in store.boards.all()},
        "webhook": None,
    }
    return _page(request, "webhooks/webhooks.html", context)


@router.post("")
def create_webhook(
    webhooks: WebhooksDep, origin: OriginDep, form: Annotated[WebhookForm, Form()]
) -> Response:
    shape = WebhookCreate(url=form.url, board_id=form.board, kinds=form.kind, format=form.format)
    made = webhooks.create(shape, origin=origin)
    return redirect(f"/webhooks/{made.id}", Flash(Text("The webhook is ready. Send it a test.")))


@router.get("/{webhook_id}")
def show_webhook(
    request: Request,
    webhook_id: str,
    store: StoreDep,
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
) -> Response:
    webhook = store.webhooks.get(webhook_id)
    page = store.deliveries.page(webhook_id, PageOf(PAGE_SIZE, cursor or None))
    query = urlencode({"cursor": page.cursor or ""})
    context = {
        "webhook": webhook,
        "secret": store.webhooks.secret(webhook_id),
        "deliveries": page.items,
        "board_names": {board.id: board.name for board in store.boards.all()},
        "more": f"/webhooks/{webhook_id}?{query}" if page.cursor else None,
    }
    return _page(request, "webhooks/webhook.html", context)


@router.post("/{webhook_id}")
def update_webhook(
    webhook_id: str, webhooks: WebhooksDep, form: Annotated[WebhookChanges, Form()]
) -> Response:
    shape = WebhookUpdate(url=form.url, kinds=form.kind, format=form.format)
    webhooks.update(webhook_id, shape)
    return redirect(f"/webhooks/{webhook_id}", Flash(Text("Saved.")))


@router.post("/{webhook_id}/switch")
def switch_webhook(
    webhook_id: str, webhooks: WebhooksDep, form: Annotated[SwitchForm, Form()]
) -> Response:
    webhooks.update(webhook_id, WebhookUpdate(is_active=form.on))
    done = Text("The webhook is on.") if form.on else Text("The webhook is off.")
    return redirect(f"/webhooks/{webhook_id}", Flash(done))


@router.post("/{webhook_id}/test")
def test_webhook(webhook_id: str, webhooks: WebhooksDep, origin: OriginDep) -> Response:
    webhooks.test(webhook_id, origin=origin)
    sent = Text("A test is on its way. Load the page again to see the answer.")
    return redirect(f"/webhooks/{webhook_id}#deliveries", Flash(sent))


@router.post("/{webhook_id}/deliveries/{delivery_id}/retry")
def retry_delivery(webhook_id: str, delivery_id: str, webhooks: WebhooksDep) -> Response:
    webhooks.retry(webhook_id, delivery_id)
    sent = Text("It is on its way again. Load the page again to see the answer.")
    return redirect(f"/webhooks/{webhook_id}#deliveries", Flash(sent))


@router.get("/{webhook_id}/delete")
def ask_before_deletion(request: Request, webhook_id: str, store: StoreDep) -> Response:
    webhook = store.webhooks.get(webhook_id)
    question = Confirmation(
        title=Text("Delete this webhook?"),
        detail=Text(
            "What was sent is forgotten, and what still waits is not sent. You cannot undo this."
        ),
        button=Text("Delete"),
        action=f"/webhooks/{webhook_id}/delete",
        cancel=f"/webhooks/{webhook_id}",
        titles=[webhook.url],
    )
    return confirmation_page(request, question)


@router.post("/{webhook_id}/delete")
def delete_webhook(webhook_id: str, store: StoreDep) -> Response:
    store.webhooks.delete(webhook_id)
    return redirect("/webhooks", Flash(Text("The webhook is deleted.")))


def _page(request: Request, template: str, context: dict[str, Any]) -> Response:
    names = {"kind_names": KIND_NAMES, "formats": FORMAT_NAMES, "off_reasons": OFF_REASONS}
    return render(request, template, context | names)
