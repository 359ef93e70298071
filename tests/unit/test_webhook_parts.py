"""What a webhook sends, whom it may reach, and when it tries again."""

import asyncio
import json
import re
import subprocess
import threading
import time
from datetime import UTC, datetime
from typing import Any, cast

import httpx2
import pytest

from service.errors import InvalidInput
from service.schemas.ideas import BoardPublic, IdeaPublic
from service.schemas.webhooks import EVENT_KINDS, TEST_KIND, WebhookCreate
from service.settings import PROJECT_ROOT
from service.signals import Signals
from service.store import Store
from service.store.activity import EVERY_BOARD
from service.store.deliveries import Claimed, Lane
from service.store.event_subjects import Event
from service.webhooks import deliverer
from service.webhooks.deliverer import Deliverer
from service.webhooks.destinations import Destinations
from service.webhooks.payloads import SENTENCES, payload_of
from service.webhooks.retries import PAUSES_S, pause_s
from service.webhooks.sender import Sender
from service.webhooks.signatures import new_secret, signed_headers

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)
BOARD = BoardPublic(id="b", name="A & B", goal="", created_at=MOMENT, updated_at=MOMENT)
IDEA = IdeaPublic(
    id="i", board_id="b", title="Soup <hot>", body="", status="draft", star=False, tags=[],
    parent_id=None, origin="human", version=1, revision=1, score=None, is_stale=False,
    created_at=MOMENT, updated_at=MOMENT,
)  # fmt: skip


def test_a_signature_is_that_of_the_example_of_the_standard() -> None:
    headers = signed_headers(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        '{"test": 2432232314}',
    )

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def example(language: str) -> str:
    """The code with which docs/use/webhooks.md checks a signature."""
    page = (PROJECT_ROOT / "docs/use/webhooks.md").read_text()
    section = page.partition("## Check the signature")[2]
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found
    return found.group(1)


SECRET, BODY = new_secret(), '{"type":"idea.created","data":{"title":"Räksmörgås"}}'


@pytest.mark.parametrize(
    ("changed", "is_genuine"),
    [({}, True), ({"webhook-id": "msg_2"}, False), ({"webhook-timestamp": "1"}, False)],
)
def test_the_documented_check_in_python_tells_a_genuine_message(
    changed: dict[str, str], *, is_genuine: bool
) -> None:
    names: dict[str, Any] = {}
    exec(example("python"), names)
    headers = signed_headers(SECRET, "msg_1", int(time.time()), BODY)

    assert names["is_genuine"](headers | changed, BODY.encode(), SECRET) is is_genuine
    assert not names["is_genuine"](headers, BODY.encode() + b" ", SECRET)
    assert not names["is_genuine"](headers, BODY.encode(), new_secret())


def test_the_documented_check_in_a_shell_comes_to_the_same_signature() -> None:
    headers = signed_headers(SECRET, "msg_1", 1700000000, BODY)

    def said(secret: str) -> str:
        done = subprocess.run(
            ["sh", "-c", example("sh")],
            env={
                "SECRET": secret,
                "ID": "msg_1",
                "TIMESTAMP": "1700000000",
                "SIGNATURE": headers["webhook-signature"],
                "BODY": BODY,
                "PATH": "/usr/bin:/bin",
            },
            capture_output=True,
            text=True,
        )
        return done.stdout

    assert said(SECRET) == "genuine\n"
    assert said(new_secret()) == ""


def test_every_kind_of_event_is_documented() -> None:
    page = (PROJECT_ROOT / "docs/use/webhooks.md").read_text()

    assert [kind for kind in (*EVENT_KINDS, TEST_KIND) if f"`{kind}`" not in page] == []


PRIVATE = [
    "127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
    "100.64.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1",
    "127.1", "0x7f000001", "2130706433",
    "[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[ff02::1]", "[::ffff:127.0.0.1]",
    "[::ffff:10.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::127.0.0.1]", "[2001:db8::1]",
    "localhost", "LOCALHOST.", "a.localhost",
]  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE)
def test_an_address_inside_a_private_network_is_refused(host: str) -> None:
    with pytest.raises(InvalidInput, match="private network"):
        Destinations(()).check(f"http://{host}:8080/hook")
    with pytest.raises((InvalidInput, OSError)):
        asyncio.run(Destinations(()).resolve(httpx2.URL(f"http://{host}:8080/hook")))


@pytest.mark.parametrize(
    "host",
    ["93.184.216.34", "1.1.1.1", "[2606:4700:4700::1111]", "[64:ff9b::101:101]", "a.example"],
)
def test_an_address_on_the_internet_may_be_reached(host: str) -> None:
    Destinations(()).check(f"https://{host}/hook")


@pytest.mark.parametrize(
    ("allowed", "host", "may"),
    [
        ("10.0.0.0/8", "10.2.3.4", True),
        ("10.0.0.0/8", "[::ffff:10.2.3.4]", True),
        ("10.0.0.0/8", "192.168.0.1", False),
        ("192.168.0.7", "192.168.0.7", True),
        ("192.168.0.7", "192.168.0.8", False),
        ("localhost", "localhost", True),
        ("chat.lan", "localhost", False),
        ("fd00::/8", "[fd00::5]", True),
    ],
)
def test_the_settings_can_allow_hosts_and_networks(allowed: str, host: str, *, may: bool) -> None:
    def check() -> None:
        Destinations([allowed]).check(f"http://{host}/hook")

    if may:
        check()
    else:
        with pytest.raises(InvalidInput):
            check()


def test_a_name_is_refused_for_the_address_that_it_leads_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that has a public and a private address is no way in either."""

    async def story(*addresses: str) -> list[str]:
        async def getaddrinfo(*_: object, **__: object) -> list[object]:
            return [(2, 1, 6, "", (one, 80)) for one in addresses]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        return await Destinations(()).resolve(httpx2.URL("http://rebind.example/"))

    assert asyncio.run(story("1.1.1.1")) == ["1.1.1.1"]
    with pytest.raises(InvalidInput, match="inside a private network"):
        asyncio.run(story("1.1.1.1", "127.0.0.1"))


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example/", "a.example", "http://", "https://u:p@a.example/", "https://a.example/#x"],
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        WebhookCreate(url=url)


def test_pauses_grow_over_about_a_day_and_end() -> None:
    pauses = [pause_s(attempt, lambda: 0.5, None) for attempt in range(1, len(PAUSES_S) + 2)]

    assert pauses[:-1] == pytest.approx(PAUSES_S)
    assert pauses[-1] is None
    assert sorted(PAUSES_S) == list(PAUSES_S)
    assert 20 * 3600 < sum(PAUSES_S) < 28 * 3600
    assert pause_s(1, lambda: 0.0, None) == pytest.approx(48)
    assert pause_s(1, lambda: 1.0, None) == pytest.approx(72)


def test_a_receiver_may_ask_for_more_time_but_not_for_ever() -> None:
    assert pause_s(1, lambda: 0.5, 600.0) == 600
    assert pause_s(1, lambda: 0.5, 10.0) == pytest.approx(60)
    assert pause_s(1, lambda: 0.5, 1e9) == PAUSES_S[-1]


def test_a_payload_has_type_time_and_the_shapes_of_rest() -> None:
    event = Event("idea.created", MOMENT, {"board": BOARD, "idea": IDEA}, ("p", "Ada"), "/ideas/i")

    found = json.loads(payload_of(event, "standard", "https://ideas.example"))

    assert found["type"] == "idea.created"
    assert found["timestamp"] == "2026-01-31T12:00:00Z"
    assert found["data"]["idea"] == IDEA.model_dump(mode="json")
    assert found["data"]["board"]["name"] == "A & B"
    assert found["data"]["person"] == {"id": "p", "name": "Ada"}
    assert found["data"]["url"] == "https://ideas.example/ideas/i"


def test_a_chat_program_gets_one_line_with_its_own_escapes() -> None:
    event = Event("idea.created", MOMENT, {"board": BOARD, "idea": IDEA}, None, "/ideas/i")

    linked = json.loads(payload_of(event, "slack", "https://x.example"))
    plain = json.loads(payload_of(event, "slack", ""))

    assert linked == {
        "text": "<https://x.example/boards/b|A &amp; B>: Somebody added "
        "<https://x.example/ideas/i|Soup &lt;hot&gt;>"
    }
    assert plain == {"text": "A &amp; B: Somebody added “Soup &lt;hot&gt;”"}


def test_every_kind_of_event_has_a_sentence() -> None:
    assert SENTENCES.keys() == {*EVENT_KINDS, TEST_KIND}


def test_every_kind_that_is_recorded_can_be_sent() -> None:
    """As far as a search finds them: kinds are written out, or made of a verb."""
    store = PROJECT_ROOT / "service" / "store"
    text = "".join(
        (store / name).read_text() for name in ("activity.py", "comments.py", "likes.py")
    )
    found = set(
        re.findall(r'"((?:idea|board|run|round|rubric|like|comment|comparison)\.\w+)"', text)
    )

    assert "idea.created" in found
    assert found - set(EVENT_KINDS) == set()


def test_a_burst_of_changes_is_one_look_at_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliverer, "GATHER_S", 60.0)
    outbox = _EmptyOutbox()

    async def burst() -> None:
        async with Deliverer(cast(Store, outbox), cast(Sender, None)):
            await asyncio.to_thread(outbox.has_looked.wait, 10)
            for _ in range(5):
                outbox.signals.announce([EVERY_BOARD])
                await asyncio.sleep(0.01)

    asyncio.run(burst())
    assert outbox.looks == 1


class _EmptyOutbox:
    """A store in which nothing is to be sent."""

    def __init__(self) -> None:
        self.signals = Signals()
        self.deliveries = self
        self.looks = 0
        self.has_looked = threading.Event()

    def lanes(self) -> list[Lane]:
        self.looks += 1
        self.has_looked.set()
        return []

    def claim(self, *_: object, **__: object) -> list[Claimed]:
        return []

    def next_due(self) -> None:
        return None
