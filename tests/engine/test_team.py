"""Servers of their own on one PostgreSQL, behind nginx: what happens when a part of it goes away."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from benchmarks.team_stack import Program, TeamStack, team_stack
from service.store.replicas import LEASE

pytestmark = pytest.mark.slow
PATIENCE_S = 120.0
AWAY_S = 10.0
STREAMS = 6
TASK = {"topic": "a street party", "n": 3}
HTML = {"accept": "text/html"}


def ask(program: Program, method: str, path: str, **more: Any) -> httpx2.Response:
    return httpx2.request(
        method, f"{program.url}{path}", timeout=PATIENCE_S, trust_env=False, **more
    )


def start_run(program: Program) -> str:
    answer = ask(
        program, "POST", "/api/v1/brainstorm", json=TASK, headers={"prefer": "respond-async"}
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["run_id"])


def status(program: Program, run_id: str) -> str:
    return str(ask(program, "GET", f"/api/v1/runs/{run_id}").json()["status"])


def seen(program: Program) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(program, "GET", "/readyz").json()["replicas"]
    return found


def eventually(holds: Callable[[], Any]) -> Any:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if found := holds():
            return found
        time.sleep(0.1)
    raise AssertionError("it did not come true")


@contextmanager
def frozen(program: Program) -> Iterator[None]:
    """The program stands still: its runs neither go on nor end."""
    assert program.process is not None
    os.killpg(program.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(program.process.pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def stack() -> Iterator[TeamStack]:
    with team_stack(
        has_proxy=shutil.which("nginx") is not None,
        IDEAPOOL_IDEA_BANK="false",
        IDEAPOOL_BOARD_IDEAS="false",
    ) as team:
        yield team


@pytest.fixture
def team(stack: TeamStack) -> TeamStack:
    """All servers of the stack answer."""
    for place, replica in enumerate(stack.replicas):
        if not replica.is_running:
            stack.start(place)
    return stack


def test_runs_of_a_killed_server_are_interrupted_when_its_lease_ends(team: TeamStack) -> None:
    killed, other = team.replicas
    with frozen(team.engine):
        lost, kept = start_run(killed), start_run(other)
        unseen_s = max(one["seen_s"] for one in seen(other) if one["here"])
        began = time.monotonic()
        team.kill(0)

        eventually(lambda: status(other, lost) == "interrupted")
        took = time.monotonic() - began
        status_of_kept = status(other, kept)

    # A second for rounding, and for the time between the question and the end of the server.
    assert took + unseen_s >= LEASE.total_seconds() - 1
    assert status_of_kept in ("queued", "running")
    assert eventually(lambda: status(other, kept) == "done")


def test_a_server_that_is_stopped_leaves_at_once(team: TeamStack) -> None:
    stopped, other = team.replicas
    run_id = start_run(stopped)

    team.stop(0)

    assert status(other, run_id) in ("done", "interrupted")
    assert len([one for one in seen(other) if one["here"]]) == 1


def test_nothing_is_lost_while_the_database_is_away(team: TeamStack) -> None:
    one, other = team.replicas
    idea = ask(one, "POST", "/api/v1/ideas", json={"title": "Before"}).json()["id"]
    run_id = start_run(one)
    team.database.stop()
    try:
        began = time.monotonic()
        refused = ask(one, "POST", "/api/v1/ideas", json={"title": "Meanwhile"})
        page = ask(other, "GET", f"/ideas/{idea}", headers=HTML)
        ready = [ask(program, "GET", "/readyz").status_code for program in team.replicas]
        time.sleep(max(0.0, AWAY_S - (time.monotonic() - began)))
    finally:
        team.database.start()

    assert (refused.status_code, ready) == (503, [503, 503])
    assert int(refused.headers["retry-after"]) > 0
    assert (page.status_code, "Not available right now" in page.text) == (503, True)
    assert eventually(lambda: status(other, run_id) == "done")
    assert len(ask(other, "GET", f"/api/v1/runs/{run_id}").json()["suggestions"]) == TASK["n"]
    assert ask(other, "GET", f"/api/v1/ideas/{idea}").json()["title"] == "Before"
    assert eventually(
        lambda: all(ask(each, "GET", "/readyz").status_code == 200 for each in team.replicas)
    )


def test_a_change_is_heard_at_the_other_server_after_the_database_came_back(
    team: TeamStack,
) -> None:
    one, other = team.replicas
    team.database.stop()
    team.database.start()
    eventually(lambda: all(ask(each, "GET", "/readyz").is_success for each in team.replicas))
    board = ask(one, "GET", "/api/v1/boards").json()[0]["id"]
    address = f"{other.url}/api/v1/boards/{board}/events"
    with httpx2.stream("GET", address, timeout=PATIENCE_S, trust_env=False) as stream:
        lines = stream.iter_lines()
        next(lines)
        idea = ask(one, "POST", "/api/v1/ideas", json={"title": "Lend tools"}).json()["id"]
        assert any(idea in line for line in lines)


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_people_behind_the_proxy_do_not_notice_that_a_server_is_killed(team: TeamStack) -> None:
    """Requests that may be repeated are answered by the other server, and are carried out once."""
    numbers, is_over = count(), False
    board = ask(team.replicas[1], "POST", "/api/v1/boards", json={"name": "Kept"}).json()["id"]

    def write() -> list[str]:
        made = []
        with httpx2.Client(base_url=team.url, timeout=PATIENCE_S, trust_env=False) as http:
            while not is_over:
                title = f"Idea {next(numbers)}"
                answer = http.post(
                    "/api/v1/ideas",
                    json={"title": title, "board_id": board},
                    headers={"idempotency-key": str(uuid4())},
                )
                assert answer.status_code == 201, answer.text
                assert http.get(f"/api/v1/ideas/{answer.json()['id']}").status_code == 200
                made.append(title)
        return made

    with ThreadPoolExecutor() as pool:
        writers = [pool.submit(write) for _ in range(4)]
        eventually(lambda: next(numbers) > 100)
        team.kill(0)
        after = next(numbers)
        eventually(lambda: next(numbers) > after + 100)
        is_over = True
        made = [title for writer in writers for title in writer.result(PATIENCE_S)]

    stored: list[str] = []
    place: str | None = f"/api/v1/ideas?board={board}&limit=100"
    while place:
        page = ask(team.replicas[1], "GET", place)
        stored += [idea["title"] for idea in page.json()]
        link = page.links.get("next")
        place = str(link["url"]) if link else None
    assert sorted(stored) == sorted(made)


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_streams_come_back_through_the_proxy_although_each_server_was_killed_once(
    team: TeamStack,
) -> None:
    """Where only streams are open, no answer ends that would show the proxy that a server is well."""
    board = ask(team.replicas[1], "GET", "/api/v1/boards").json()[0]["id"]
    with ExitStack() as stack:
        http = stack.enter_context(httpx2.Client(timeout=PATIENCE_S, trust_env=False))

        def statuses() -> list[int]:
            address = f"{team.url}/api/v1/boards/{board}/events"
            streams = [stack.enter_context(http.stream("GET", address)) for _ in range(STREAMS)]
            return [stream.status_code for stream in streams]

        assert statuses() == [200] * STREAMS
        team.kill(0)
        assert statuses() == [200] * STREAMS
        team.start(0)
        team.kill(1)
        assert statuses() == [200] * STREAMS
