"""The whole service as a process on the real small model: faults, restarts, going away."""

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.support.app_server import START_S, Server, processes_of, serving, without_models
from tests.support.timing import quickest

API = "/api/v1"
DETACHED = {"prefer": "respond-async"}


def begin(server: Server, n: int = 20) -> str:
    """A brainstorm that is being written; returns its address."""
    started = server.http.post(
        f"{API}/brainstorm", json={"topic": "a quieter office", "n": n}, headers=DETACHED
    )
    address = started.headers["location"]
    while server.http.get(address).json()["status"] == "queued":
        time.sleep(0.02)
    return address


def running(server: Server) -> float:
    for line in server.http.get("/metrics").text.splitlines():
        if line.startswith('ideapool_engine_requests{state="running"}'):
            return float(line.split()[-1])
    raise AssertionError("no such metric")


def await_idle(server: Server) -> None:
    began = time.monotonic()
    while running(server) > 0:
        assert time.monotonic() - began < START_S
        time.sleep(0.01)


def test_a_killed_server_loses_no_acknowledged_idea_and_marks_its_run(own_server: Server) -> None:
    address = begin(own_server)
    acknowledged = [
        own_server.http.post(f"{API}/ideas", json={"title": f"idea {number}"}).json()["id"]
        for number in range(50)
    ]
    own_server.kill()
    began = time.monotonic()
    own_server.start()

    assert time.monotonic() - began < 10
    run = own_server.http.get(address).json()
    assert (run["status"], run["error"]["type"]) == ("interrupted", "interrupted")
    found = own_server.http.get(f"{API}/ideas", params={"limit": 100}).json()
    assert {idea["id"] for idea in found} >= set(acknowledged)


def test_a_killed_model_process_fails_one_run_and_the_next_works(own_server: Server) -> None:
    address = begin(own_server)
    os.kill(own_server.model_process(), signal.SIGKILL)

    while (run := own_server.http.get(address).json())["status"] == "running":
        time.sleep(0.02)
    assert (run["status"], run["error"]["type"]) == ("failed", "engine-crashed")
    assert own_server.http.post(f"{API}/ideas", json={"title": "still here"}).status_code == 201
    own_server.await_models()
    again = own_server.http.post(f"{API}/evaluate", json={"title": "Tool shelf", "body": "Drills."})
    assert again.status_code in (200, 502)
    assert again.json().get("type") != "/problems/engine-crashed"


def test_stop_frees_the_model_within_a_second(shared_server: Server) -> None:
    def attempt() -> float:
        address = begin(shared_server)
        began = time.monotonic()
        run = shared_server.http.post(f"{address}/cancel").json()
        await_idle(shared_server)
        took_s = time.monotonic() - began

        assert run["status"] == "cancelled"
        return took_s

    assert quickest(attempt, 1) < 1


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_a_client_that_goes_away_from_its_call_stops_the_run(
    shared_server: Server, accept: str
) -> None:
    body = b'{"topic": "a quieter office", "n": 20}'
    head = (
        f"POST {API}/brainstorm HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {accept}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", shared_server.port)) as client:
        client.sendall(head.encode() + body)
        while running(shared_server) == 0:
            time.sleep(0.02)

    await_idle(shared_server)
    # How a run ended is written down after the engine has let go of it.
    while (run := shared_server.http.get(f"{API}/runs").json()[0])["status"] in (
        "queued",
        "running",
    ):
        time.sleep(0.02)
    assert run["status"] == "cancelled"


def test_going_away_from_watching_does_not_stop_a_run(shared_server: Server) -> None:
    address = begin(shared_server, n=2)
    with shared_server.http.stream("GET", f"{address}/events") as stream:
        next(stream.iter_lines())

    while (run := shared_server.http.get(address).json())["status"] == "running":
        time.sleep(0.05)

    assert run["status"] in ("done", "failed")


def test_a_terminated_server_ends_its_streams_and_itself(tmp_path: Path) -> None:
    def attempt() -> float:
        with serving(tmp_path, IDEAPOOL_DRAIN_S="0") as server:
            server.await_models()
            address = begin(server)
            with server.http.stream("GET", f"{address}/events") as stream:
                lines = stream.iter_lines()
                next(lines)
                took_s = server.stop()
                received = list(lines)

            assert '"status": "interrupted"' in "".join(received)
            assert not processes_of(tmp_path)
            return took_s

    assert quickest(attempt, 5) < 5


def test_the_same_seed_and_the_same_text_give_the_same_answers(tmp_path: Path) -> None:
    task = {"topic": "a quieter office", "n": 2, "seed": 5}
    runs = []
    # A shared adapter adds up a lone row in another order than several, and how many tokens are
    # decoded at a time depends on how long they take.
    with serving(tmp_path, IDEAPOOL_ADAPTERS="merged") as server:
        server.await_models()
        for _ in range(2):
            answer = server.http.post(f"{API}/brainstorm", json=task).json()
            runs.append([(one["title"], one["text"]) for one in answer.get("suggestions", [])])

    assert runs[0] == runs[1]


def test_a_missing_model_leaves_ideas_editable_and_says_which_file(tmp_path: Path) -> None:
    with serving(tmp_path, **without_models(tmp_path)) as server:
        refused = server.http.post(f"{API}/refine", json={"title": "Tool shelf"})

        assert refused.status_code == 503
        assert ".gguf" in refused.json()["detail"]
        assert "ideapool models fetch" in refused.json()["detail"]
        assert server.http.post(f"{API}/ideas", json={"title": "x"}).status_code == 201


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_a_bind_for_others_needs_a_key_or_refuses_to_start(tmp_path: Path, address: str) -> None:
    server = Server(tmp_path, IDEAPOOL_HOST=address)

    with pytest.raises(RuntimeError, match="keys create"):
        server.start()

    assert server.process.returncode == 2


def test_a_container_makes_its_first_key_and_prints_it_once(tmp_path: Path) -> None:
    for is_first in (True, False):
        with serving(tmp_path, IDEAPOOL_HOST="0.0.0.0", IDEAPOOL_CREATE_KEY="true") as server:
            assert server.http.get(f"{API}/ideas").status_code == 401
            lines = [line for line in server.log.splitlines() if "API key" in line]
            if is_first:
                token = lines[0].split()[-1]
            answered = server.http.get(f"{API}/ideas", headers={"authorization": f"Bearer {token}"})

            assert len(lines) == 1
            assert answered.status_code == 200
