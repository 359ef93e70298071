"""How many pages of a board a server gives in a second: `python -m benchmarks.page_rate`.

A server of its own has a board of 1,000 ideas, and two processes ask for its page one time after another,
while nothing is stored and while an idea changes every second. The databases take turns, so that what
else the machine does is in the figures of both.
"""

import argparse
import http.client
import json
import multiprocessing
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.board_pages import fill_both
from tests.support.app_server import Server, running, without_models
from tests.support.postgresql import PostgresServer

IDEAS, CLIENTS, SECONDS, ROUNDS = 1000, 2, 5.0, 3
WRITE_EVERY_S = 1.0
PAGE = {"Accept": "text/html", "Accept-Encoding": "gzip"}
JSON = {"Content-Type": "application/json"}
LOADS = ("nothing is stored", "an idea changes every second")
Rates = dict[tuple[str, str], list[float]]


def measure(*, ideas: int, seconds: float, rounds: int) -> Rates:
    """Pages a second, by the load and the name of the database."""
    rates: Rates = defaultdict(list)
    with PostgresServer.running() as database, tempfile.TemporaryDirectory() as folder:
        urls, board = fill_both(Path(folder), database, ideas)
        for _ in range(rounds):
            for name, url in urls.items():
                with _server(url) as server:
                    for load in LOADS:
                        found = _rate(server, board, seconds, is_written=load != LOADS[0])
                        rates[load, name].append(found)
    return rates


def table(rates: Mapping[tuple[str, str], list[float]]) -> str:
    """Medians with the lowest and the highest of the rounds, as Markdown."""
    names = list(dict.fromkeys(name for _, name in rates))
    lines = [f"| pages a second, while | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for load in LOADS:
        cells = " | ".join(_cell(rates[load, name]) for name in names)
        lines.append(f"| {load} | {cells} |")
    return "\n".join(lines)


def _cell(found: list[float]) -> str:
    return f"{statistics.median(found):.0f} ({min(found):.0f}–{max(found):.0f})"


@contextmanager
def _server(url: str) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = Server(folder, IDEAPOOL_DATABASE_URL=url, **without_models(folder))
        with running(server):
            yield server


def _rate(server: Server, board: str, seconds: float, *, is_written: bool) -> float:
    ended = threading.Event()
    writer = threading.Thread(target=_write, args=(server, board, ended))
    if is_written:
        writer.start()
    try:
        with multiprocessing.get_context("spawn").Pool(CLIENTS) as pool:
            asked = [(server.port, f"/boards/{board}", seconds)] * CLIENTS
            return sum(pool.starmap(_ask, asked))
    finally:
        ended.set()
        if is_written:
            writer.join()


def _ask(port: int, path: str, seconds: float) -> float:
    """Returns how many pages came in a second, one after another on one connection."""
    connection = _connection(port)
    _sent(connection, "GET", path, PAGE)
    pages, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        _sent(connection, "GET", path, PAGE)
        pages += 1
    return pages / passed


def _write(server: Server, board: str, ended: threading.Event) -> None:
    connection = _connection(server.port)
    found = _sent(connection, "GET", f"/api/v1/ideas?board={board}&limit=1", {})
    idea = json.loads(found)[0]["id"]
    number = 0
    while not ended.wait(WRITE_EVERY_S):
        number += 1
        body = json.dumps({"title": f"Version {number}"})
        _sent(connection, "PATCH", f"/api/v1/ideas/{idea}", JSON, body)


def _connection(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=60)


def _sent(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: str | None = None,
) -> bytes:
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    told = response.read()
    if response.status != 200:
        raise RuntimeError(f"{response.status}: {told[:200]!r}")
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ideas", type=int, default=IDEAS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    found = measure(ideas=options.ideas, seconds=options.seconds, rounds=options.rounds)
    print(table(found))


if __name__ == "__main__":
    main()
