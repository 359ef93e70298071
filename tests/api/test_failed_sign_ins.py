"""Wrong keys: how many an address may try, what the log says of each, and what fail2ban makes of that."""

import json
import logging
import re
from collections.abc import Callable, Iterator

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.app import create_app
from service.errors import TooManyFailures
from service.logs import JsonFormatter, TextFormatter
from service.schemas.identity import now
from service.settings import PROJECT_ROOT, Settings
from service.web.failed_sign_ins import ADDRESSES, MOST, WITHIN_S, FailedSignIns
from tests.support.fake_backend import FakeBackend

HOST, ME = "http://localhost", "/api/v1/me"
ATTACKER, NEIGHBOUR = "203.0.113.7", "203.0.113.8"
SECRET = "ip_something-that-is-no-key"
Try = Callable[[TestClient, str], httpx2.Response]


@pytest.fixture
def app(migrated: Settings) -> Iterator[FastAPI]:
    app = create_app(migrated.model_copy(update={"require_key": True}), FakeBackend())
    with TestClient(app):
        yield app


def at(app: FastAPI, address: str) -> TestClient:
    return TestClient(app, base_url=HOST, client=(address, 40000), follow_redirects=False)


def sign_in(client: TestClient, key: str) -> httpx2.Response:
    answer: httpx2.Response = client.post("/login", data={"key": key})
    return answer


def send(client: TestClient, key: str) -> httpx2.Response:
    answer: httpx2.Response = client.get(ME, headers={"authorization": f"Bearer {key}"})
    return answer


def ask_assistant(client: TestClient, key: str) -> httpx2.Response:
    answer: httpx2.Response = client.post("/mcp", headers={"authorization": f"Bearer {key}"})
    return answer


@pytest.mark.parametrize("attempt", [sign_in, send, ask_assistant])
def test_after_ten_wrong_keys_an_address_has_to_wait(app: FastAPI, attempt: Try) -> None:
    attacker = at(app, ATTACKER)
    answers = [attempt(attacker, SECRET) for _ in range(MOST)]

    refused = attempt(attacker, SECRET)

    assert {one.status_code for one in answers} == {401}
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= WITHIN_S / MOST
    assert "too many failed attempts" in refused.text


def test_both_ways_to_try_count_together_and_addresses_apart(app: FastAPI) -> None:
    attacker, neighbour = at(app, ATTACKER), at(app, NEIGHBOUR)
    for _ in range(MOST // 2):
        sign_in(attacker, SECRET)
        send(attacker, SECRET)

    assert send(attacker, SECRET).status_code == sign_in(attacker, SECRET).status_code == 429
    assert send(neighbour, SECRET).status_code == sign_in(neighbour, SECRET).status_code == 401


def test_a_right_key_works_from_an_address_that_has_to_wait(app: FastAPI) -> None:
    key = app.state.store.keys.create("right")
    client = at(app, ATTACKER)
    for _ in range(MOST + 1):
        send(client, SECRET)

    assert send(client, SECRET).status_code == 429
    assert send(client, key).status_code == 200
    assert sign_in(client, key).status_code == 303


def test_neither_a_missing_key_nor_an_old_cookie_nor_an_expired_key_counts(app: FastAPI) -> None:
    old = app.state.store.keys.create("old", expires_at=now())
    client = at(app, ATTACKER)
    client.cookies.set("ideapool_session", SECRET)

    answers = [client.get(ME) for _ in range(MOST + 1)]
    answers += [send(client, old) for _ in range(MOST + 1)]

    assert {one.status_code for one in answers} == {401}
    assert len(app.state.visitors.failures) == 0


def test_where_no_key_is_needed_a_wrong_one_does_no_harm(client: TestClient) -> None:
    assert {send(client, SECRET).status_code for _ in range(MOST + 1)} == {200}


@pytest.mark.parametrize(("attempt", "how"), [(sign_in, "login"), (send, "bearer")])
def test_each_failure_is_one_line_without_the_key(
    app: FastAPI, caplog: pytest.LogCaptureFixture, attempt: Try, how: str
) -> None:
    attacker = at(app, ATTACKER)
    for _ in range(MOST + 5):
        attempt(attacker, SECRET)

    said = [one.getMessage() for one in caplog.records if "failed sign-in" in one.getMessage()]
    assert said == [f"failed sign-in from {ATTACKER} ({how})"] * MOST
    assert SECRET not in caplog.text


def failed(clock: Callable[[], float] = lambda: 0.0) -> FailedSignIns:
    return FailedSignIns(clock)


def note(failures: FailedSignIns, address: str) -> bool:
    """Whether the failure was counted, or refused."""
    try:
        failures.note({"type": "http", "client": (address, 1)}, "bearer")
    except TooManyFailures:
        return False
    return True


def test_an_address_gets_one_more_try_each_half_minute() -> None:
    moments = iter([0.0] * (MOST + 1) + [29.0, 31.0, 32.0, 61.0])
    failures = failed(lambda: next(moments))
    assert [note(failures, ATTACKER) for _ in range(MOST + 1)] == [True] * MOST + [False]

    tries = [note(failures, ATTACKER) for _ in range(4)]

    assert tries == [False, True, False, True]


def test_after_five_minutes_an_address_has_all_tries_again() -> None:
    moment = 0.0
    failures = failed(lambda: moment)
    while note(failures, ATTACKER):
        pass

    moment = WITHIN_S

    assert [note(failures, ATTACKER) for _ in range(MOST + 1)] == [True] * MOST + [False]


def test_only_so_many_addresses_are_kept() -> None:
    failures = failed()
    for number in range(ADDRESSES + 50):
        note(failures, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")

    assert len(failures) == ADDRESSES


def test_addresses_of_one_network_of_ipv6_count_together() -> None:
    failures = failed()
    tries = [note(failures, f"2001:db8::{number:x}") for number in range(1, MOST + 2)]

    assert tries == [True] * MOST + [False]
    assert note(failures, "2001:db8:0:1::1")


def documented_patterns(host: str) -> list[re.Pattern[str]]:
    """The filter of docs/operate/access.md, with the groups that fail2ban puts for its tag."""
    text = (PROJECT_ROOT / "docs/operate/access.md").read_text()
    filter_ = text.partition("failregex = ")[2].partition("\ndatepattern")[0]
    lines = [line.strip() for line in filter_.splitlines()]
    assert len(lines) == 2
    return [re.compile(line.replace("<ADDR>", rf"(?P<host>{host})")) for line in lines]


HOSTS = r"[0-9a-fA-F:.]+"
# fail2ban takes the time out of a line before it looks for failures; from systemd it has the time beside it.
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")


def found(line: str) -> list[str]:
    matches = [pattern.search(line) for pattern in documented_patterns(HOSTS)]
    return [match["host"] for match in matches if match]


@pytest.mark.parametrize("address", [ATTACKER, "2001:db8::7"])
@pytest.mark.parametrize("form", [TextFormatter, JsonFormatter])
@pytest.mark.parametrize("attempt", [sign_in, send])
def test_the_documented_filter_finds_the_address_in_the_lines_of_both_formats(
    app: FastAPI,
    caplog: pytest.LogCaptureFixture,
    attempt: Try,
    form: type[logging.Formatter],
    address: str,
) -> None:
    attempt(at(app, address), SECRET)

    (record,) = [one for one in caplog.records if "failed sign-in" in one.getMessage()]
    line = form().format(record)
    assert TIME.search(line)
    assert found(TIME.sub("", line)) == [address]
    assert found(f"host ideapool[812]: {line}") == [address]


def test_the_documented_filter_finds_nothing_in_what_others_write_into_a_line() -> None:
    line = f"WARNING service.web.failed_sign_ins: failed sign-in from {ATTACKER} (login)"
    made = logging.LogRecord("service.store", logging.WARNING, "", 1, f'x" {line}', None, None)
    in_json = logging.LogRecord(
        *("service.store", logging.WARNING, "", 1),
        f'x", "logger": "service.web.failed_sign_ins", "message": "{line[39:]}"',
        *(None, None),
    )

    for form in (TextFormatter(), JsonFormatter()):
        for record in (made, in_json):
            assert found(TIME.sub("", form.format(record))) == []
    assert json.loads(JsonFormatter().format(in_json))["logger"] == "service.store"


@pytest.mark.parametrize("address", ["", "testclient", "x\nfailed sign-in from 1.2.3.4 (login)"])
def test_what_is_no_address_is_not_written_into_the_log(
    caplog: pytest.LogCaptureFixture, address: str
) -> None:
    note(failed(), address)

    assert caplog.messages == ["failed sign-in from unknown (bearer)"]
