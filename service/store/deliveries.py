"""The outbox of the webhooks: what still has to be sent, to whom, and what was answered.

The deliveries are made of the recorded activities, so that a change costs nobody a query. Each
webhook has a cursor for each board, because activities are read board by board, as they are indexed:
a board on which much happens does not keep the others waiting. The cursor and the deliveries move on
in one transaction, and only from the number that was read, so that two replicas make no delivery
twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, delete, func, or_, select, update

from service.errors import Conflict, NotFound
from service.messages import Text, pack, unpack
from service.schemas.identity import new_id, now
from service.schemas.webhooks import RESPONSE_CEILING, TEST_KIND, DeliveryPublic, OffReason
from service.store.cursors import Key, Order, Page, PageOf
from service.store.database import Database
from service.store.event_subjects import Event, event_of
from service.store.hidden_ideas import shared_view
from service.store.tables import Board
from service.store.team_tables import Activity, Webhook, WebhookCursor, WebhookDelivery
from service.store.webhooks import found as webhook_of

DELIVERY_LIFE = timedelta(days=30)
LONGER_THAN_ANY_PAUSE = timedelta(hours=12)
_NEWEST = Order("deliveries", Key(col(WebhookDelivery.number), int, descending=True))

# Of a webhook's deliveries for one board, only the oldest that has still to arrive can be due.
_HEADS = (
    select(func.min(col(WebhookDelivery.number)))
    .where(WebhookDelivery.status == "pending")
    .group_by(col(WebhookDelivery.webhook_id), col(WebhookDelivery.board_id))
)
_IS_HEAD = (
    col(WebhookDelivery.number).in_(_HEADS),
    or_(col(Webhook.is_active), col(WebhookDelivery.kind) == TEST_KIND),
)


@dataclass(frozen=True, slots=True)
class Lane:
    """A webhook and a board with activities after `number` that no delivery was made of."""

    webhook_id: str
    board_id: str
    number: int
    kinds: tuple[str, ...]
    format: str
    origin: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A delivery that is not stored yet."""

    activity_number: int
    kind: str
    subject_id: str
    payload: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this process has to send, for the `attempt`-th time since the last `retry`; it was
    claimed at `tried_at`.
    """

    number: int
    id: str
    url: str
    secret: str
    payload: str
    attempt: int
    tried_at: datetime
    is_test: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an attempt; `status` is None if there was no answer."""

    status: int | None = None
    text: str = ""
    problem: str = ""


class DeliveryStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def lanes(self) -> list[Lane]:
        newest = (
            select(func.max(col(Activity.number)))
            .where(col(Activity.board_id) == col(Board.id))
            .correlate(Board)
            .scalar_subquery()
        )
        read = func.coalesce(col(WebhookCursor.number), 0)
        with self._database.read() as session:
            rows = session.exec(
                select(Webhook, Board.id, read)
                .join(Board, or_(col(Webhook.board_id).is_(None), Webhook.board_id == Board.id))
                .outerjoin(
                    WebhookCursor,
                    (col(WebhookCursor.webhook_id) == col(Webhook.id))
                    & (col(WebhookCursor.board_id) == col(Board.id)),
                )
                .where(col(Webhook.is_active), newest > read)
            )
            return [
                Lane(one.id, board, number, tuple(one.kinds), one.format, one.origin)
                for one, board, number in rows.all()
            ]

    def event(self, activity: Activity) -> Event:
        """What the activity is about, as everybody may know it."""
        with self._database.read() as session, shared_view():
            return event_of(session, activity)

    def extend(self, lane: Lane, number: int, letters: Sequence[Letter]) -> bool:
        """Adds the deliveries of the activities up to `number`; False if somebody else did."""
        with self._database.write() as session:
            if not _advance(session, lane, number):
                return False
            for letter in letters:
                session.add(
                    WebhookDelivery(
                        webhook_id=lane.webhook_id,
                        board_id=lane.board_id,
                        activity_number=letter.activity_number,
                        kind=letter.kind,
                        subject_id=letter.subject_id,
                        payload=letter.payload,
                    )
                )
                # One by one, so that their numbers are in the order of the activities.
                session.flush()
            return True

    def add_test(self, webhook_id: str, payload: str) -> DeliveryPublic:
        with self._database.write() as session:
            webhook_of(session, webhook_id)
            delivery = WebhookDelivery(webhook_id=webhook_id, kind=TEST_KIND, payload=payload)
            # In a lane of its own, so that it does not wait for what failed.
            delivery.board_id = f"test {new_id()}"
            session.add(delivery)
            session.flush()
            return public(delivery)

    def claim(self, moment: datetime, *, lease: timedelta, limit: int) -> list[Claimed]:
        """Returns deliveries that are due. For the time of the lease, nobody else gets them."""
        due = (
            select(WebhookDelivery, Webhook)
            .join(Webhook, col(Webhook.id) == WebhookDelivery.webhook_id)
            .where(*_IS_HEAD, _is_due(moment))
            .order_by(col(WebhookDelivery.next_attempt_at), col(WebhookDelivery.number))
            .limit(limit)
        )
        with self._database.read() as session:
            rows = session.exec(due).all()
        if not rows:
            return []
        with self._database.write() as session:
            tried_at = now()
            return [
                Claimed(
                    number_of(delivery),
                    delivery.id,
                    webhook.url,
                    webhook.secret,
                    delivery.payload,
                    delivery.attempts + 1,
                    tried_at,
                    delivery.kind == TEST_KIND,
                )
                for delivery, webhook in rows
                if _take(session, delivery, tried_at, moment + lease)
            ]

    def next_due(self) -> datetime | None:
        """When something has to be sent next, unless more comes."""
        with self._database.read() as session:
            return session.exec(
                select(func.min(col(WebhookDelivery.next_attempt_at)))
                .join(Webhook, col(Webhook.id) == WebhookDelivery.webhook_id)
                .where(*_IS_HEAD)
            ).first()

    def arrived(self, claimed: Claimed, answer: Answer) -> None:
        with self._database.write() as session:
            delivery = _still_claimed(session, claimed)
            if delivery is not None:
                _note(delivery, answer)
                delivery.status = "done"
                webhook = webhook_of(session, delivery.webhook_id)
                webhook.failing_since = None
                session.add_all((delivery, webhook))

    def failed(self, claimed: Claimed, answer: Answer, *, again_at: datetime | None) -> None:
        """Notes an attempt that failed; without `again_at` the delivery is given up."""
        with self._database.write() as session:
            delivery = _still_claimed(session, claimed)
            if delivery is None:
                return
            _note(delivery, answer)
            if again_at is None:
                delivery.status = "failed"
            else:
                delivery.next_attempt_at = again_at
            webhook = webhook_of(session, delivery.webhook_id)
            if delivery.kind != TEST_KIND and webhook.failing_since is None:
                webhook.failing_since = now()
            session.add_all((delivery, webhook))

    def switch_off(self, claimed: Claimed, reason: OffReason, *, failing_before: datetime) -> bool:
        """Switches off the webhook of a delivery if it has failed since before that time."""
        with self._database.write() as session:
            delivery = session.get(WebhookDelivery, claimed.number)
            if delivery is None:
                return False
            webhook = webhook_of(session, delivery.webhook_id)
            since = webhook.failing_since
            if not webhook.is_active or since is None or since > failing_before:
                return False
            webhook.is_active, webhook.off_reason, webhook.updated_at = False, reason, now()
            session.add(webhook)
            return True

    def release(self, claimed: Claimed) -> None:
        """Gives back what was claimed and not sent, so that it is due again."""
        with self._database.write() as session:
            delivery = _still_claimed(session, claimed)
            if delivery is not None:
                delivery.attempts, delivery.next_attempt_at = claimed.attempt - 1, now()
                session.add(delivery)

    def page(self, webhook_id: str, wanted: PageOf) -> Page[DeliveryPublic]:
        """Returns the webhook's deliveries, newest first."""
        with self._database.read() as session:
            webhook_of(session, webhook_id)
            chosen = select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook_id)
            page = _NEWEST.page(session, chosen, wanted)
            return Page([public(one) for one in page.items], page.cursor)

    def retry(self, webhook_id: str, delivery_id: str) -> DeliveryPublic:
        """Makes a delivery due now, whatever became of it.

        Raises:
            NotFound: there is no such delivery.
            Conflict: the webhook is switched off.
        """
        with self._database.write() as session:
            webhook = webhook_of(session, webhook_id)
            delivery = session.exec(
                select(WebhookDelivery).where(
                    WebhookDelivery.webhook_id == webhook_id, WebhookDelivery.id == delivery_id
                )
            ).first()
            if delivery is None:
                raise NotFound(
                    Text("There is no delivery %(delivery_id)s.", delivery_id=delivery_id)
                )
            if not webhook.is_active and delivery.kind != TEST_KIND:
                raise Conflict(Text("The webhook is off. Switch it on first."))
            delivery.status, delivery.next_attempt_at = "pending", now()
            # It gets all of its attempts anew.
            delivery.attempts = 0
            session.add(delivery)
            return public(delivery)

    def purge_before(self, moment: datetime) -> int:
        """Deletes old deliveries, except those that still have to arrive."""
        with self._database.write() as session:
            old = col(WebhookDelivery.created_at) < moment
            over = col(WebhookDelivery.status) != "pending"
            return int(session.exec(delete(WebhookDelivery).where(old, over)).rowcount)


def forget_deliveries(session: Session, subject_ids: Sequence[str]) -> None:
    """Deletes what was sent, or had to be, about things that are deleted for good."""
    session.exec(delete(WebhookDelivery).where(col(WebhookDelivery.subject_id).in_(subject_ids)))


def number_of(delivery: WebhookDelivery) -> int:
    assert delivery.number is not None, "stored deliveries have a number"
    return delivery.number


def public(delivery: WebhookDelivery) -> DeliveryPublic:
    fields = delivery.model_dump(exclude={"problem", "next_attempt_at"})
    is_pending = delivery.status == "pending"
    return DeliveryPublic(
        **fields,
        next_attempt_at=delivery.next_attempt_at if is_pending else None,
        problem=None if delivery.problem is None else unpack(delivery.problem["text"]),
        words=None if delivery.problem is None else delivery.problem["text"],
    )


def _advance(session: Session, lane: Lane, number: int) -> bool:
    here = (
        col(WebhookCursor.webhook_id) == lane.webhook_id,
        col(WebhookCursor.board_id) == lane.board_id,
    )
    if session.exec(select(WebhookCursor).where(*here)).first() is None:
        try:
            with session.begin_nested():
                first = WebhookCursor(webhook_id=lane.webhook_id, board_id=lane.board_id, number=0)
                session.add(first)
        except IntegrityError:
            # Another replica was first, or the webhook was deleted.
            return False
    moved = update(WebhookCursor).where(*here, col(WebhookCursor.number) == lane.number)
    return bool(session.exec(moved.values(number=number)).rowcount)


def _is_due(moment: datetime) -> ColumnElement[bool]:
    """Also what waits only because the clock was set back: for a first attempt, or longer than any pause."""
    at = col(WebhookDelivery.next_attempt_at)
    is_first = col(WebhookDelivery.attempts) == 0
    return or_(is_first, at <= moment, at > moment + LONGER_THAN_ANY_PAUSE)


def _take(session: Session, delivery: WebhookDelivery, tried_at: datetime, until: datetime) -> bool:
    taken = update(WebhookDelivery).where(
        col(WebhookDelivery.number) == delivery.number,
        col(WebhookDelivery.status) == "pending",
        col(WebhookDelivery.attempts) == delivery.attempts,
        col(WebhookDelivery.next_attempt_at) == delivery.next_attempt_at,
    )
    values = {"attempts": delivery.attempts + 1, "next_attempt_at": until, "tried_at": tried_at}
    return bool(session.exec(taken.values(values)).rowcount)


def _still_claimed(session: Session, claimed: Claimed) -> WebhookDelivery | None:
    """None if it was deleted, sent again or claimed by somebody else meanwhile."""
    delivery = session.get(WebhookDelivery, claimed.number)
    if delivery is None or delivery.status != "pending":
        return None
    # After a retry the attempts are counted anew, so their number alone does not tell.
    is_ours = (delivery.attempts, delivery.tried_at) == (claimed.attempt, claimed.tried_at)
    return delivery if is_ours else None


def _note(delivery: WebhookDelivery, answer: Answer) -> None:
    delivery.response_status = answer.status
    delivery.response_text = answer.text[:RESPONSE_CEILING]
    delivery.problem = {"text": pack(answer.problem)} if answer.problem else None
