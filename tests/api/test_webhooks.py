"""What happens on a board arrives at the webhooks: signed, in order, and whatever goes wrong between."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.schemas.ideas import BoardCreate, IdeaCreate, IdeaUpdate
from service.schemas.rounds import RoundCreate
from service.schemas.webhooks import WebhookCreate, WebhookUpdate
from service.settings import Settings
from service.store import Limits, Store
from service.store.cursors import EVERYTHING
from service.store.database import Database
from service.store.deliveries import LONGER_THAN_ANY_PAUSE, Answer
from service.webhooks.deliverer import LEASE, MOST_AT_ONCE, Deliverer
from service.webhooks.destinations import Destinations
from service.webhooks.retries import JITTER, PATIENCE, PAUSES_S
from service.webhooks.sender import Sender
from service.webhooks.signatures import new_secret
from tests.support.fake_backend import FakeBackend
from tests.support.scripted_server import Call, ScriptedServer, raw, reply, scripted

pytestmark = pytest.mark.both_databases
HOOK = "POST /hook"
HOOKS = "/api/v1/webhooks"
GIVE_UP_S = 30.0
GOOD = reply(200, "ok")
BAD = reply(500, "oh no")


class Clock:
    """Runs ahead of the real one, by hand."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def advance(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


class Pool:
    """A store, a deliverer that works step by step, and a receiver."""

    def __init__(self, settings: Settings, server: ScriptedServer, allowed: str) -> None:
        self.settings, self.server, self.allowed = settings, server, allowed
        self.clock = Clock()
        self.start()

    def start(self) -> None:
        self.database = Database(self.settings.sqlalchemy_url)
        self.store = Store(self.database, Limits(200, 8192, 20))
        self.board = self.store.boards.ensure_one().id
        self.deliverer = self.another()

    def another(self) -> Deliverer:
        """One more, as another replica has."""
        sender = Sender(Destinations([self.allowed]), clock=self.clock, answer_s=1.0)
        return Deliverer(self.store, sender, clock=self.clock, chance=lambda: 0.5)

    def hook(self, path: str = "/hook", **fields: Any) -> str:
        shape = WebhookCreate(url=self.server.url + path, **fields)
        secret = new_secret()
        return self.store.webhooks.create(shape, secret=secret, origin="http://ideas.example").id

    def idea(self, title: str = "Lend tools") -> str:
        return self.store.ideas.create(IdeaCreate(title=title, board_id=self.board)).id

    async def deliver(self) -> None:
        """Makes and sends everything that is due."""
        await self.deliverer.make()
        # What the receiver answers with a failure is due later, so this ends.
        while await self.deliverer.send_once():
            pass

    def deliveries(self, hook: str) -> list[Any]:
        return list(reversed(self.store.deliveries.page(hook, EVERYTHING).items))

    def statuses(self, hook: str) -> list[str]:
        return [one.status for one in self.deliveries(hook)]

    @property
    def received(self) -> list[Call]:
        return self.server.asked(HOOK)

    @property
    def kinds(self) -> list[str]:
        return [call.body["type"] for call in self.received]


Story = Callable[[Pool], Awaitable[None]]


def play(settings: Settings, story: Story, *, allowed: str = "127.0.0.1") -> None:
    async def run() -> None:
        async with scripted() as server:
            server.plays[HOOK] = [GOOD]
            pool = Pool(settings, server, allowed)
            try:
                await story(pool)
            finally:
                pool.database.close()

    asyncio.run(run())


def is_signed(call: Call, secret: str) -> bool:
    """Written anew from the text of the standard, with nothing of the service."""
    body = json.dumps(call.body, ensure_ascii=False, separators=(",", ":"))
    to_sign = f"{call.headers['webhook-id']}.{call.headers['webhook-timestamp']}.{body}"
    key = base64.b64decode(secret.split("_")[1])
    expected = base64.b64encode(hmac.digest(key, to_sign.encode(), hashlib.sha256)).decode()
    return f"v1,{expected}" in call.headers["webhook-signature"].split(" ")


def test_a_change_arrives_signed_with_what_rest_gives(migrated: Settings) -> None:
    async def story(pool: Pool) -> None:
        hook = pool.hook()
        idea = pool.idea("Räksmörgås")
        await pool.deliver()

        (call,) = pool.received
        assert is_signed(call, pool.store.webhooks.secret(hook))
        assert not is_signed(call, new_secret())
        assert call.headers["content-type"] == "application/json"
        assert abs(int(call.headers["webhook-timestamp"]) - pool.clock().timestamp()) < 2
        assert call.body["data"]["idea"] == pool.store.ideas.get(idea).model_dump(mode="json")
        assert call.body["data"]["board"]["id"] == pool.board
        assert call.body["data"]["url"] == f"http://ideas.example/ideas/{idea}"
        (delivery,) = pool.deliveries(hook)
        assert (delivery.status, delivery.response_status) == ("done", 200)
        assert delivery.response_text == "ok"

    play(migrated, story)


def test_events_of_a_board_arrive_in_their_order_and_once(migrated: Settings) -> None:
    async def story(pool: Pool) -> None:
        pool.hook()
        idea = pool.idea()
        pool.store.ideas.update(idea, IdeaUpdate(title="Lend ladders"))
        pool.store.ideas.delete(idea)
        pool.store.ideas.restore(idea)
        await pool.deliver()
        await pool.deliver()

        expected = ["idea.created", "idea.changed", "idea.deleted", "idea.restored"]
        assert pool.kinds == expected
        assert len({call.headers["webhook-id"] for call in pool.received}) == 4

    play(migrated, story)


def test_a_webhook_gets_only_its_board_and_its_kinds(migrated: Settings) -> None:
    async def story(pool: Pool) -> None:
        other = pool.store.boards.create(BoardCreate(name="Elsewhere")).id
        one = pool.hook(board_id=pool.board, kinds=["idea.created"])
        all_of_them = pool.hook()
        idea = pool.idea()
        pool.store.ideas.delete(idea)
        pool.store.ideas.create(IdeaCreate(title="There", board_id=other))
        made = pool.store.boards.create(BoardCreate(name="Later")).id
        await pool.deliver()

        assert [delivery.kind for delivery in pool.deliveries(one)] == ["idea.created"]
        kinds = sorted(delivery.kind for delivery in pool.deliveries(all_of_them))
        assert kinds == ["board.created", "idea.created", "idea.created", "idea.deleted"]
        boards = {
            json.loads(one.payload)["data"]["board"]["id"] for one in pool.deliveries(all_of_them)
        }
        assert boards == {pool.board, other, made}

    play(migrated, story)


def test_what_happened_before_a_webhook_or_while_it_was_off_is_not_sent(
    migrated: Settings,
) -> None:
    async def story(pool: Pool) -> None:
        pool.idea("Before")
        hook = pool.hook()
        pool.store.webhooks.update(hook, WebhookUpdate(is_active=False))
        pool.idea("Meanwhile")
        await pool.deliver()
        pool.store.webhooks.update(hook, WebhookUpdate(is_active=True))
        pool.idea("After")
        await pool.deliver()

        assert [call.body["data"]["idea"]["title"] for call in pool.received] == ["After"]

    play(migrated, story)


def test_a_receiver_that_fails_gets_it_again_later_and_nothing_overtakes(
    migrated: Settings,
) -> None:
    async def story(pool: Pool) -> None:
        pool.server.plays[HOOK] = [BAD, BAD, GOOD]
        hook = pool.hook()
        pool.idea("First")
        pool.idea("Second")
        await pool.deliver()

        assert len(pool.received) == 1
        first, second = pool.deliveries(hook)
        assert (first.status, first.attempts, first.response_status) == ("pending", 1, 500)
        assert first.response_text == "oh no"
        assert first.reason == "It answered 500."
        assert second.attempts == 0

        pool.clock.advance(PAUSES_S[0] - 30)
        await pool.deliver()
        assert len(pool.received) == 1
        pool.clock.advance(31)
        await pool.deliver()
        assert len(pool.received) == 2
        pool.clock.advance(PAUSES_S[1] + 1)
        await pool.deliver()

        titles = [call.body["data"]["idea"]["title"] for call in pool.received]
        assert titles == ["First", "First", "First", "Second"]
        # A receiver knows by the id that it is the same message.
        assert len({call.headers["webhook-id"] for call in pool.received[:3]}) == 1
        assert pool.statuses(hook) == ["done", "done"]
        assert pool.store.webhooks.get(hook).failing_since is None

    play(migrated, story)


def test_a_board_does_not_wait_for_another_one(migrated: Settings) -> None:
    async def story(pool: Pool) -> None:
        other = pool.store.boards.create(BoardCreate(name="Elsewhere")).id
        pool.server.plays[HOOK] = [BAD, GOOD]
        hook = pool.hook()
        pool.idea("Here")
        await pool.deliver()
        pool.store.ideas.create(IdeaCreate(title="There", board_id=other))
        await pool.deliver()

        assert sorted(pool.statuses(hook)) == ["done", "pending"]

    play(migrated, story)


def test_a_delivery_is_given_up_after_a_day_and_the_webhook_is_off_after_days(
    migrated: Settings,
) -> None:
    async def story(pool: Pool) -> None:
        pool.server.plays[HOOK] = [BAD]
        hook = pool.hook()
        for number in range(5):
            pool.idea(f"Idea {number}")
        await pool.deliverer.make()
        pool.clock.advance(1)
        for _ in range(6 * (len(PAUSES_S) + 1)):
            if not pool.store.webhooks.get(hook).is_active:
                break
            await pool.deliver()
            pool.clock.advance(PAUSES_S[-1] + 1)

        webhook = pool.store.webhooks.get(hook)
        assert (webhook.is_active, webhook.off_reason) == (False, "failing")
        assert webhook.failing_since is not None
        assert pool.clock() - webhook.failing_since > PATIENCE
        statuses = pool.statuses(hook)
        assert statuses.count("failed") >= 1
        assert statuses.count("failed") + statuses.count("pending") == 5
        given_up = pool.deliveries(hook)[0]
        assert given_up.attempts == len(PAUSES_S) + 1

        # Switched on again, what still waited is sent.
        pool.server.plays[HOOK] = [GOOD]
        pool.store.webhooks.update(hook, WebhookUpdate(is_active=True))
        await pool.deliver()
        assert "pending" not in pool.statuses(hook)

    play(migrated, story)


def test_a_receiver_that_is_gone_switches_the_webhook_off(migrated: Settings) -> None:
    async def story(pool: Pool) -> None:
        pool.server.plays[HOOK] = [reply(410, "no longer")]
        hook = pool.hook()
        pool.idea()
        await pool.deliver()

        webhook = pool.store.webhooks.get(hook)
        assert (webhook.is_active, webhook.off_reason) == (False, "gone")
        assert pool.statuses(hook) == ["failed"]

    play(migrated, story)


def test_a_redirect_is_not_followed(migrated: Settings) -> None:
    async def story(pool: Pool) -> None:
        pool.server.plays[HOOK] = [reply(302, "", Location=pool.server.url + "/inside")]
        hook = pool.hook()
        pool.idea()
        await pool.deliver()

        assert [call.target for call in pool.server.calls] == [HOOK]
        (delivery,) = pool.deliveries(hook)
        assert delivery.status == "pending"
        assert delivery.reason == "It answered 302: redirects are not followed."

    play(migrated, story)


def test_silence_is_a_failure_and_a_slow_body_is_none(migrated: Settings) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nslo"

    async def story(pool: Pool) -> None:
        pool.server.plays["POST /silent"] = [raw(60.0)]
        pool.server.plays["POST /slow"] = [raw(head, 60.0)]
        silent, slow = pool.hook("/silent"), pool.hook("/slow")
        pool.idea()
        await pool.deliver()

        (first,), (second,) = pool.deliveries(silent), pool.deliveries(slow)
        assert (first.status, first.reason) == (
            "pending",
            "There was no answer within 1 seconds.",
        )
        assert (second.status, second.response_text) == ("done", "slo")

    play(migrated, story)


def test_an_endless_body_is_read_only_at_its_beginning(migrated: Settings) -> None:
    head = b"HTTP/1.1 500 X\r\nContent-Length: 900000000\r\n\r\n"

    async def story(pool: Pool) -> None:
        pool.server.plays[HOOK] = [raw(head, b"x" * 100_000, 60.0)]
        hook = pool.hook()
        pool.idea()
        await pool.deliver()

        (delivery,) = pool.deliveries(hook)
        assert delivery.response_text == "x" * 500

    play(migrated, story)


def test_a_connection_that_is_refused_is_tried_again(migrated: Settings) -> None:
    async def story(pool: Pool) -> None:
        hook = pool.hook()
        url, pool.server.url = pool.server.url, "http://127.0.0.1:9"
        refused = pool.hook()
        pool.server.url = url
        pool.idea()
        await pool.deliver()

        (delivery,) = pool.deliveries(refused)
        assert (delivery.status, delivery.reason) == (
            "pending",
            "The receiver cannot be reached.",
        )
        assert pool.statuses(hook) == ["done"]

    play(migrated, story)


def test_nothing_waits_for_a_clock_that_was_set_back(migrated: Settings) -> None:
    async def story(pool: Pool) -> None:
        pool.server.plays[HOOK] = [BAD, GOOD]
        hook = pool.hook()
        pool.clock.advance(86400)
        pool.idea("Failed once while the clock was a day ahead")
        await pool.deliver()
        assert pool.statuses(hook) == ["pending"]

        pool.clock.advance(-86400 - 3600)
        pool.idea("Never tried before")
        await pool.deliver()

        assert pool.statuses(hook) == ["done", "done"]

    assert timedelta(seconds=PAUSES_S[-1] * (1 + JITTER)) < LONGER_THAN_ANY_PAUSE
    play(migrated, story)


def test_nothing_is_lost_by_a_restart_between_attempts(migrated: Settings) -> None:
    async def story(pool: Pool) -> None:
        pool.server.plays[HOOK] = [BAD, GOOD]
        hook = pool.hook()
        pool.idea("Tried once")
        await pool.deliver()
        pool.idea("Never seen by the deliverer")
        # The process that claimed it dies before it notes the answer.
        pool.clock.advance(PAUSES_S[0] + 1)
        claimed = pool.store.deliveries.claim(pool.clock(), lease=LEASE, limit=MOST_AT_ONCE)
        assert len(claimed) == 1
        pool.database.close()
        pool.start()
        await pool.deliver()
        assert len(pool.received) == 1
        pool.clock.advance(LEASE.total_seconds() + 1)
        await pool.deliver()

        assert pool.statuses(hook) == ["done", "done"]
        titles = [call.body["data"]["idea"]["title"] for call in pool.received[1:]]
        assert titles == ["Tried once", "Never seen by the deliverer"]

    play(migrated, story)


def test_the_answer_of_an_attempt_before_a_retry_is_not_that_of_the_new_one(
    migrated: Settings,
) -> None:
    async def story(pool: Pool) -> None:
        hook = pool.hook()
        pool.idea()
        await pool.deliverer.make()
        deliveries = pool.store.deliveries
        (early,) = deliveries.claim(pool.clock(), lease=LEASE, limit=1)
        deliveries.retry(hook, early.id)
        (late,) = deliveries.claim(pool.clock(), lease=LEASE, limit=1)
        assert (early.number, early.attempt) == (late.number, late.attempt)

        deliveries.failed(early, Answer(500), again_at=None)
        deliveries.release(early)
        assert pool.statuses(hook) == ["pending"]
        assert deliveries.claim(pool.clock(), lease=LEASE, limit=1) == []

        deliveries.arrived(late, Answer(200))
        assert pool.statuses(hook) == ["done"]

    play(migrated, story)


def test_two_replicas_send_nothing_twice(migrated: Settings) -> None:
    async def story(pool: Pool) -> None:
        pool.hook()
        for number in range(12):
            pool.idea(f"Idea {number}")
        others = [pool.deliverer, pool.another(), pool.another()]
        await asyncio.gather(*(one.make() for one in others))
        while any(await asyncio.gather(*(one.send_once() for one in others))):
            pass

        titles = [call.body["data"]["idea"]["title"] for call in pool.received]
        assert titles == [f"Idea {number}" for number in range(12)]

    play(migrated, story)


def test_an_address_that_became_private_is_not_reached(migrated: Settings) -> None:
    """The check is made of the address that is connected to, not of the one at creation."""

    async def story(pool: Pool) -> None:
        hook = pool.hook()
        pool.idea()
        await pool.deliver()

        assert pool.received == []
        (delivery,) = pool.deliveries(hook)
        assert "is inside a private network" in delivery.reason

    play(migrated, story, allowed="10.0.0.0/8")


def test_a_name_is_connected_to_at_the_address_that_was_checked(
    migrated: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(pool: Pool) -> None:
        asked: list[object] = []
        loop = asyncio.get_running_loop()
        usual = loop.getaddrinfo

        async def getaddrinfo(host: Any, port: Any, **more: Any) -> Any:
            asked.append(host)
            return await usual("127.0.0.1" if host == "hook.lan" else host, port, **more)

        monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
        pool.server.url = pool.server.url.replace("127.0.0.1", "hook.lan")
        pool.hook()
        pool.idea()
        await pool.deliver()

        (call,) = pool.received
        assert call.headers["host"].startswith("hook.lan:")
        assert asked.count("hook.lan") == 1

    play(migrated, story, allowed="hook.lan")


def test_what_is_deleted_for_good_leaves_no_text_in_the_outbox(migrated: Settings) -> None:
    async def story(pool: Pool) -> None:
        hook = pool.hook()
        idea = pool.idea("Very secret")
        await pool.deliver()
        pool.store.ideas.delete(idea)
        await pool.deliver()
        pool.store.trash.purge_idea(idea)

        assert not [one for one in pool.deliveries(hook) if "secret" in one.payload]

    play(migrated, story)


def test_a_test_is_tried_once_even_if_the_webhook_is_off(migrated: Settings) -> None:
    async def story(pool: Pool) -> None:
        pool.server.plays[HOOK] = [reply(410, "no longer"), GOOD]
        hook = pool.hook()
        for _ in range(2):
            pool.store.deliveries.add_test(hook, "{}")
            await pool.deliver()
        pool.store.webhooks.update(hook, WebhookUpdate(is_active=False))
        pool.store.deliveries.add_test(hook, "{}")
        await pool.deliver()

        assert pool.statuses(hook) == ["failed", "done", "done"]
        # Only what people wait for switches a webhook off.
        assert pool.store.webhooks.get(hook).off_reason == ""

    play(migrated, story)


def test_an_idea_that_is_hidden_until_a_round_ends_is_sent_without_its_text(
    migrated: Settings,
) -> None:
    async def story(pool: Pool) -> None:
        begun = pool.store.rounds.start(pool.board, RoundCreate(topic="The party"))
        hook = pool.hook(kinds=["idea.created"])
        shape = IdeaCreate(title="Very secret", board_id=pool.board, round_id=begun.id)
        idea = pool.store.ideas.create(shape)
        await pool.deliver()

        (call,) = pool.received
        assert call.body["data"]["idea"] == {"id": idea.id}
        assert "secret" not in pool.deliveries(hook)[0].payload

    play(migrated, story)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + GIVE_UP_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_running_service_delivers_by_itself(migrated: Settings) -> None:
    settings = migrated.model_copy(update={"webhook_hosts": ("127.0.0.1",)})

    async def story(server: ScriptedServer) -> None:
        with TestClient(create_app(settings, FakeBackend()), base_url="http://localhost") as client:
            made = client.post(HOOKS, json={"url": f"{server.url}/hook"})
            assert made.status_code == 201
            hook = made.json()
            await asyncio.to_thread(client.post, "/api/v1/ideas", json={"title": "Lend tools"})
            (call,) = await server.until(1, HOOK)
            assert is_signed(call, hook["secret"])

            tested = await asyncio.to_thread(client.post, f"{HOOKS}/{hook['id']}/test")
            assert tested.status_code == 202
            calls = await server.until(2, HOOK)
            assert calls[1].body["type"] == "webhook.test"

    async def run() -> None:
        async with scripted() as server:
            server.plays[HOOK] = [GOOD]
            await story(server)

    asyncio.run(run())


def test_rest_makes_changes_and_deletes_webhooks(client: TestClient) -> None:
    made = client.post(HOOKS, json={"url": "https://a.example/hook", "kinds": ["idea.created"]})
    hook = made.json()
    assert made.status_code == 201
    assert hook["secret"].startswith("whsec_")
    assert made.headers["location"] == f"{HOOKS}/{hook['id']}"
    assert "secret" not in client.get(f"{HOOKS}/{hook['id']}").json()

    off = client.patch(f"{HOOKS}/{hook['id']}", json={"is_active": False, "format": "slack"})
    assert (off.json()["is_active"], off.json()["off_reason"]) == (False, "")
    assert [one["id"] for one in client.get(HOOKS).json()] == [hook["id"]]

    assert client.delete(f"{HOOKS}/{hook['id']}").status_code == 204
    assert client.get(f"{HOOKS}/{hook['id']}").status_code == 404
    assert client.get(f"{HOOKS}/{hook['id']}/deliveries").status_code == 404


def test_rest_refuses_private_addresses_and_unknown_boards_and_kinds(client: TestClient) -> None:
    private = client.post(HOOKS, json={"url": "http://169.254.169.254/latest/"})
    assert private.status_code == 422
    assert private.json()["errors"][0]["pointer"] == "/url"
    unknown = client.post(HOOKS, json={"url": "https://a.example/", "board_id": "nobody"})
    assert unknown.status_code == 404
    kind = client.post(HOOKS, json={"url": "https://a.example/", "kinds": ["idea.eaten"]})
    assert kind.status_code == 422


def test_a_delivery_can_be_sent_again_unless_its_webhook_is_off(
    client: TestClient,
) -> None:
    hook = client.post(HOOKS, json={"url": "https://a.invalid/"}).json()["id"]
    client.patch(f"{HOOKS}/{hook}", json={"is_active": False})
    store: Store = client.app.state.store  # type: ignore[attr-defined]
    tested = client.post(f"{HOOKS}/{hook}/test").json()["id"]
    until(lambda: store.deliveries.page(hook, EVERYTHING).items[0].attempts > 0)

    again = client.post(f"{HOOKS}/{hook}/deliveries/{tested}/retry")
    missing = client.post(f"{HOOKS}/{hook}/deliveries/nobody/retry")

    assert again.status_code == 202
    assert missing.status_code == 404


def test_a_board_that_is_deleted_for_good_takes_its_webhooks_and_links_along(
    client: TestClient,
) -> None:
    board = client.post("/api/v1/boards", json={"name": "Elsewhere"}).json()["id"]
    url = {"url": "https://a.invalid/"}
    hook = client.post(HOOKS, json=url | {"board_id": board}).json()["id"]
    client.post(HOOKS, json=url)
    client.post(f"/api/v1/boards/{board}/links", json={})
    client.delete(f"/api/v1/boards/{board}")

    gone = client.delete(f"/api/v1/boards/{board}?for_good=true")

    assert gone.status_code == 204
    assert client.get(f"{HOOKS}/{hook}").status_code == 404
