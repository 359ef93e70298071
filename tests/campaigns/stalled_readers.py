"""Clients who ask and then do not read: exports, watched boards and answers of a model."""

import socket
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.bench_soak import Figures
from service.cli.connections import ConnectionLimits
from tests.campaigns.neighbour import Neighbour
from tests.campaigns.report import Report, tell
from tests.support.app_server import Server, serving
from tests.support.raw_http import Call, endless

READERS = 30
IDEAS = 300
CHANGES = 1_500
READING_S = 1.0
STALLED_S = ConnectionLimits().stalled_s
GROWTH_MB = 100.0
# For a watcher and an answer of the model.
OTHERS_MB = 4.0


def campaign(folder: Path, *, readers: int = READERS) -> Report:
    """Three kinds of readers on the real small model, all at the same time."""
    report = Report("Stalled readers")
    with serving(folder) as server:
        server.await_models()
        board = _fill(server)
        export_mb = len(server.http.get("/api/v1/export").raise_for_status().content) / 2**20
        before = Figures.of(server.process.pid)
        with ExitStack() as stack, Neighbour(server) as neighbour:
            calls = [stack.enter_context(Call(server, is_narrow=True)) for _ in range(readers * 3)]
            _stall(calls, board)
            largest_mb = _write_meanwhile(server, board, before.rss_mb)
            dropped = _dropped(calls)
        _add_readers(report, readers, dropped)
        _add_memory(report, largest_mb - before.rss_mb, readers, export_mb)
        _add_others(report, server, neighbour)
    return report


def _fill(server: Server) -> str:
    board = str(server.http.get("/api/v1/boards").json()[0]["id"])
    for number in range(IDEAS):
        idea = {"title": f"Idea {number}", "body": "A long text of an idea. " * 300}
        server.http.post("/api/v1/ideas", json=idea).raise_for_status()
    return board


def _stall(calls: list[Call], board: str) -> None:
    """An export is larger than what the kernel buffers, and so are logprobs of a long answer."""
    for number, call in enumerate(calls):
        if number % 3 == 0:
            call.get("/api/v1/export", accept="application/json")
        elif number % 3 == 1:
            call.get(f"/api/v1/boards/{board}/events")
        else:
            more = {"logprobs": True, "top_logprobs": 20}
            call.post("/v1/chat/completions", endless(f"Question {number}?", 900, **more))
    tell(f"{len(calls)} clients asked and do not read")


def _write_meanwhile(server: Server, board: str, largest_mb: float) -> float:
    """Makes what the watchers of the board are told of, until all readers must have been dropped."""
    began, changes = time.monotonic(), 0
    idea = server.http.post("/api/v1/ideas", json={"title": "Changed", "board_id": board}).json()
    while (passed := time.monotonic() - began) < STALLED_S + 15 or changes < CHANGES:
        star = {"star": changes % 2 == 0}
        server.http.patch(f"/api/v1/ideas/{idea['id']}", json=star).raise_for_status()
        changes += 1
        if changes % 500 == 0:
            largest_mb = max(largest_mb, Figures.of(server.process.pid).rss_mb)
            tell(f"{changes} changes in {passed:.0f} s, server at {largest_mb:.0f} MB")
    return max(largest_mb, Figures.of(server.process.pid).rss_mb)


def _dropped(calls: list[Call]) -> list[bool]:
    """Whether each connection has ended; what was buffered can still be read."""
    return [_has_ended(call.socket) for call in calls]


def _has_ended(connection: socket.socket) -> bool:
    deadline = time.monotonic() + READING_S
    connection.settimeout(READING_S)
    try:
        while time.monotonic() < deadline:
            if not connection.recv(65_536):
                return True
    except ConnectionError:
        return True
    except TimeoutError:
        pass
    return False


def _add_readers(report: Report, readers: int, dropped: list[bool]) -> None:
    for place, kind in enumerate(("exports", "watched boards", "answers of the model")):
        mine = dropped[place::3]
        # A watcher whose events still fit into the buffers has not stalled.
        is_bound = kind == "exports"
        report.add(
            f"stalled readers of {kind}",
            readers,
            found=f"{sum(mine)} connections ended",
            promised=f"ended after {STALLED_S:.0f} s" if is_bound else "they cost only themselves",
            holds=all(mine) or not is_bound,
        )


def _add_memory(report: Report, grown_mb: float, readers: int, export_mb: float) -> None:
    """An export is made as a whole and buffered to be sent, so each one that is not read is kept twice."""
    most_mb = GROWTH_MB + readers * (2 * export_mb + OTHERS_MB)
    report.add(
        f"memory of the server, at its largest; an export has {export_mb:.1f} MB",
        1,
        found=f"{grown_mb:+.0f} MB",
        promised=f"{most_mb:.0f} MB: two copies of each export, and some for the rest",
        holds=grown_mb < most_mb,
    )


def _add_others(report: Report, server: Server, neighbour: Neighbour) -> None:
    neighbour.add_to(report)
    question = {"model": "general", "messages": [{"role": "user", "content": "Hello?"}]}
    asked = server.http.post("/v1/chat/completions", json=question | {"max_tokens": 8})
    report.add_faults(
        "a question to the model afterwards",
        1,
        [] if asked.status_code == 200 else [f"{asked.status_code} {asked.text[:200]}"],
        "it is answered",
    )
