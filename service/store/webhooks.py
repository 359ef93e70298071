"""Webhooks: who is told of which events. `deliveries` has what they still have to be sent."""

from datetime import datetime

from sqlmodel import Session, col, delete, func, or_, select

from service.errors import NotFound
from service.messages import Text
from service.schemas.identity import now
from service.schemas.webhooks import WebhookCreate, WebhookPublic, WebhookUpdate
from service.store.cursors import EVERYTHING, Key, Order, Page, PageOf
from service.store.database import Database
from service.store.ideas import live_board_id
from service.store.team_tables import Activity, Webhook, WebhookCursor, WebhookDelivery

_OLDEST = Order("webhooks", Key(col(Webhook.created_at), datetime), Key(col(Webhook.id), str))


class WebhookStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, shape: WebhookCreate, *, secret: str, origin: str) -> WebhookPublic:
        """Creates a webhook, which gets what happens from now on.

        Raises:
            NotFound: there is no such board.
        """
        with self._database.write() as session:
            if shape.board_id is not None:
                live_board_id(session, shape.board_id)
            webhook = Webhook(**shape.model_dump(), secret=secret, origin=origin)
            session.add(webhook)
            session.flush()
            _start_from_now(session, webhook)
            return _public(session, webhook)

    def get(self, webhook_id: str) -> WebhookPublic:
        with self._database.read() as session:
            return _public(session, found(session, webhook_id))

    def secret(self, webhook_id: str) -> str:
        with self._database.read() as session:
            return found(session, webhook_id).secret

    def all(self, *, board_id: str | None = None) -> list[WebhookPublic]:
        """Returns the webhooks, or those that hear of this board, oldest first."""
        return self.page(EVERYTHING, board_id=board_id).items

    def page(self, wanted: PageOf, *, board_id: str | None = None) -> Page[WebhookPublic]:
        statement = select(Webhook)
        if board_id is not None:
            is_for_all = col(Webhook.board_id).is_(None)
            statement = statement.where(or_(is_for_all, Webhook.board_id == board_id))
        with self._database.read() as session:
            page = _OLDEST.page(session, statement, wanted)
            return Page([_public(session, one) for one in page.items], page.cursor)

    def update(self, webhook_id: str, shape: WebhookUpdate) -> WebhookPublic:
        """Changes a webhook. One that is switched on again gets what happens from then on, and what
        was still waiting.
        """
        with self._database.write() as session:
            webhook = found(session, webhook_id)
            if shape.is_active and not webhook.is_active:
                _start_from_now(session, webhook)
                webhook.failing_since = None
                hurry(session, webhook_id)
            for name, value in shape.model_dump(exclude_none=True).items():
                setattr(webhook, name, value)
            if shape.is_active is not None:
                webhook.off_reason = ""
            webhook.updated_at = now()
            session.add(webhook)
            session.flush()
            return _public(session, webhook)

    def delete(self, webhook_id: str) -> WebhookPublic:
        """Deletes a webhook with its deliveries."""
        with self._database.write() as session:
            public = _public(session, found(session, webhook_id))
            remove_webhooks(session, [webhook_id])
            return public


def found(session: Session, webhook_id: str) -> Webhook:
    webhook = session.get(Webhook, webhook_id)
    if webhook is None:
        raise NotFound(Text("There is no webhook %(webhook_id)s.", webhook_id=webhook_id))
    return webhook


def remove_webhooks(session: Session, webhook_ids: list[str]) -> None:
    for table in (WebhookDelivery, WebhookCursor):
        session.exec(delete(table).where(col(table.webhook_id).in_(webhook_ids)))
    session.exec(delete(Webhook).where(col(Webhook.id).in_(webhook_ids)))


def remove_webhooks_of(session: Session, board_id: str) -> None:
    """Deletes a board's webhooks, and what others have still to be sent of it."""
    webhooks = session.exec(select(Webhook.id).where(Webhook.board_id == board_id)).all()
    remove_webhooks(session, list(webhooks))
    for table in (WebhookDelivery, WebhookCursor):
        session.exec(delete(table).where(col(table.board_id) == board_id))


def hurry(session: Session, webhook_id: str) -> None:
    """Makes everything that waits for this webhook due now."""
    waiting = select(WebhookDelivery).where(
        WebhookDelivery.webhook_id == webhook_id, WebhookDelivery.status == "pending"
    )
    for delivery in session.exec(waiting):
        delivery.next_attempt_at = now()
        session.add(delivery)


def _start_from_now(session: Session, webhook: Webhook) -> None:
    """What happens on a board that is made later is sent from its beginning."""
    newest = select(Activity.board_id, func.max(col(Activity.number))).group_by(
        col(Activity.board_id)
    )
    if webhook.board_id is not None:
        newest = newest.where(Activity.board_id == webhook.board_id)
    for board_id, number in session.exec(newest).all():
        session.merge(WebhookCursor(webhook_id=webhook.id, board_id=board_id, number=number or 0))


def _public(session: Session, webhook: Webhook) -> WebhookPublic:
    waiting = session.scalar(
        select(func.count()).where(
            col(WebhookDelivery.webhook_id) == webhook.id,
            col(WebhookDelivery.status) == "pending",
        )
    )
    return WebhookPublic(**webhook.model_dump(), waiting=waiting or 0)
