"""Makes and changes webhooks, for the pages and for REST alike."""

from service.schemas.webhooks import (
    DeliveryPublic,
    WebhookCreate,
    WebhookCreated,
    WebhookPublic,
    WebhookUpdate,
)
from service.store import Store
from service.store.activity import EVERY_BOARD
from service.webhooks.destinations import Destinations
from service.webhooks.payloads import payload_of_test
from service.webhooks.signatures import new_secret


class Webhooks:
    def __init__(self, store: Store, destinations: Destinations) -> None:
        self._store = store
        self._destinations = destinations

    def create(self, shape: WebhookCreate, *, origin: str) -> WebhookCreated:
        """Raises: InvalidInput for an address that may not be reached, NotFound for the board."""
        self._destinations.check(shape.url)
        secret = new_secret()
        webhook = self._store.webhooks.create(shape, secret=secret, origin=origin)
        return WebhookCreated(**webhook.model_dump(), secret=secret)

    def update(self, webhook_id: str, shape: WebhookUpdate) -> WebhookPublic:
        """Raises: InvalidInput for an address that may not be reached, NotFound."""
        if shape.url is not None:
            self._destinations.check(shape.url)
        webhook = self._store.webhooks.update(webhook_id, shape)
        self._wake()
        return webhook

    def test(self, webhook_id: str, *, origin: str) -> DeliveryPublic:
        """Sends a test soon, even if the webhook is off. Raises: NotFound."""
        webhook = self._store.webhooks.get(webhook_id)
        payload = payload_of_test(webhook.format, origin)
        delivery = self._store.deliveries.add_test(webhook_id, payload)
        self._wake()
        return delivery

    def retry(self, webhook_id: str, delivery_id: str) -> DeliveryPublic:
        """Sends a delivery soon, whatever became of it. Raises: NotFound, Conflict."""
        delivery = self._store.deliveries.retry(webhook_id, delivery_id)
        self._wake()
        return delivery

    def _wake(self) -> None:
        self._store.signals.announce([EVERY_BOARD])
