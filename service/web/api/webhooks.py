"""Routes for webhooks and their deliveries."""

from typing import Annotated

from fastapi import APIRouter, Query, Response, status

from service.schemas.webhooks import (
    DeliveryPublic,
    WebhookCreate,
    WebhookCreated,
    WebhookPublic,
    WebhookUpdate,
)
from service.web.api.idempotency import KeyedRoute
from service.web.api.shared import NEXT_PAGE, Id, PagingDep, links, problems
from service.web.dependencies import OriginDep, StoreDep, WebhooksDep

router = APIRouter(prefix="/webhooks", tags=["webhooks"], route_class=KeyedRoute)
_ID = "webhook_id"


@router.get(
    "",
    operation_id="listWebhooks",
    summary="List the webhooks, oldest first",
    responses=NEXT_PAGE,
)
def list_webhooks(
    store: StoreDep,
    paging: PagingDep,
    board: Annotated[
        str | None,
        Query(max_length=64, description="Only those that hear of this board."),
    ] = None,
) -> list[WebhookPublic]:
    return paging.items(store.webhooks.page(paging.wanted, board_id=board))


@router.post(
    "",
    operation_id="createWebhook",
    summary="Send what happens to an address",
    description="The address gets what happens from now on, on a board or on every board. The "
    "answer has the secret that signs each delivery. Addresses inside private networks are refused "
    "unless `IDEAPOOL_WEBHOOK_HOSTS` allows them.",
    status_code=status.HTTP_201_CREATED,
    responses=problems(404)
    | links(201, "id", getWebhook=_ID, updateWebhook=_ID, deleteWebhook=_ID, testWebhook=_ID),
)
def create_webhook(
    shape: WebhookCreate, webhooks: WebhooksDep, origin: OriginDep, response: Response
) -> WebhookCreated:
    webhook = webhooks.create(shape, origin=origin)
    response.headers["Location"] = f"/api/v1/webhooks/{webhook.id}"
    return webhook


@router.get(
    "/{webhook_id}",
    operation_id="getWebhook",
    summary="Get a webhook",
    responses=problems(404),
)
def get_webhook(webhook_id: Id, store: StoreDep) -> WebhookPublic:
    return store.webhooks.get(webhook_id)


@router.patch(
    "/{webhook_id}",
    operation_id="updateWebhook",
    summary="Change a webhook, or switch it on or off",
    responses=problems(404),
)
def update_webhook(webhook_id: Id, shape: WebhookUpdate, webhooks: WebhooksDep) -> WebhookPublic:
    return webhooks.update(webhook_id, shape)


@router.delete(
    "/{webhook_id}",
    operation_id="deleteWebhook",
    summary="Delete a webhook and its deliveries",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(404),
)
def delete_webhook(webhook_id: Id, store: StoreDep) -> None:
    store.webhooks.delete(webhook_id)


@router.post(
    "/{webhook_id}/test",
    operation_id="testWebhook",
    summary="Send a test",
    description="The delivery is in the list of deliveries, with what was answered.",
    status_code=status.HTTP_202_ACCEPTED,
    responses=problems(404),
)
def test_webhook(webhook_id: Id, webhooks: WebhooksDep, origin: OriginDep) -> DeliveryPublic:
    return webhooks.test(webhook_id, origin=origin)


@router.get(
    "/{webhook_id}/deliveries",
    operation_id="listDeliveries",
    summary="List what was sent and what was answered, newest first",
    description="Kept for 30 days. What is `pending` is tried again until it arrives, over about a "
    "day; of a board's deliveries, one is sent after the other.",
    responses=problems(404) | NEXT_PAGE,
)
def list_deliveries(webhook_id: Id, store: StoreDep, paging: PagingDep) -> list[DeliveryPublic]:
    return paging.items(store.deliveries.page(webhook_id, paging.wanted))


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/retry",
    operation_id="retryDelivery",
    summary="Send a delivery now, whatever became of it",
    status_code=status.HTTP_202_ACCEPTED,
    responses=problems(404, 409),
)
def retry_delivery(webhook_id: Id, delivery_id: Id, webhooks: WebhooksDep) -> DeliveryPublic:
    return webhooks.retry(webhook_id, delivery_id)
