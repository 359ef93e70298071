"""More requests than the server can answer in time: the rest is refused at once, and probes are answered."""

import math
import threading
from typing import cast

import anyio
import anyio.to_thread
import pytest
from anyio.from_thread import BlockingPortal
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.web.load_shedding import Line, Lines

BOARDS = "/api/v1/boards"
BROWSER = {"accept": "text/html", "sec-fetch-site": "same-origin"}


def full(client: TestClient) -> Line:
    """A line whose only place is taken, and in which any wait would be too long."""
    line = Line(1, takes_s=math.inf, long_s=math.inf)
    portal_of(client).call(line.take)
    return line


def with_lines(client: TestClient, lines: Lines) -> None:
    cast(FastAPI, client.app).state.lines = lines


def portal_of(client: TestClient) -> BlockingPortal:
    return cast(BlockingPortal, client.portal)


def board_of(client: TestClient) -> str:
    return str(client.get(BOARDS).json()[0]["id"])


def test_what_is_too_much_is_refused_at_once_while_probes_are_answered(client: TestClient) -> None:
    board = board_of(client)
    with_lines(client, Lines(full(client), full(client)))

    page = client.get(f"/boards/{board}", headers=BROWSER)
    partial = client.get(f"/boards/{board}", headers=BROWSER | {"hx-request": "true"})
    read = client.get(BOARDS)
    change = client.post("/api/v1/ideas", json={"title": "Too much"})

    for answer in (page, partial, read, change):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert "content-security-policy" in answer.headers
    assert page.headers["content-type"].startswith("text/html")
    assert "more to do than it can" in page.text
    assert len(page.text) < 1000
    assert read.json()["type"] == "/problems/overloaded"
    for path in ("/livez", "/readyz", "/healthz", "/static/app.css"):
        assert client.get(path).status_code == 200, path
    assert "ideapool_requests_shed_total 4.0" in client.get("/metrics").text


def test_whoever_writes_does_not_wait_for_those_who_read(client: TestClient) -> None:
    with_lines(client, Lines(reads=full(client)))

    assert client.post("/api/v1/ideas", json={"title": "Mine"}).status_code == 201
    assert client.get(BOARDS).status_code == 503


def test_whoever_reads_does_not_wait_for_those_who_write(client: TestClient) -> None:
    with_lines(client, Lines(changes=full(client)))

    assert client.get(BOARDS).status_code == 200
    assert client.post("/api/v1/ideas", json={"title": "Mine"}).status_code == 503


def test_what_waits_for_a_model_needs_no_place(client: TestClient) -> None:
    with_lines(client, Lines(full(client), full(client)))

    answer = client.post("/api/v1/brainstorm", json={"topic": "a tidy shed", "n": 2})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [("/api/v1/boards", 200), ("/api/v1/ideas/nothing", 404), ("/nowhere", 404), ("/", 200)],
)
def test_each_request_gives_its_place_back(client: TestClient, path: str, status: int) -> None:
    with_lines(client, Lines(reads=Line(1, takes_s=math.inf, long_s=math.inf)))

    answers = [client.get(path, headers=BROWSER) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {status}


def test_readiness_does_not_wait_for_a_thread_of_the_pages(client: TestClient) -> None:
    done = threading.Event()

    async def take_a_thread() -> None:
        await anyio.to_thread.run_sync(done.wait)

    async def take_all_threads() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(int(anyio.to_thread.current_default_thread_limiter().total_tokens)):
                group.start_soon(take_a_thread)

    busy = portal_of(client).start_task_soon(take_all_threads)
    try:
        answers = [client.get(path).status_code for path in ("/livez", "/readyz")]
    finally:
        done.set()
    busy.result()

    assert answers == [200, 200]
