"""What a server does when more is asked of it than it can do: `python -m benchmarks.overload`.

Asks for so many pages of a board each second, whatever became of those before, and meanwhile creates
ideas and asks whether the server lives and is ready. The server is a process of its own. Prints a table
in Markdown.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.bench_board import fill
from benchmarks.board_pages import served
from benchmarks.figures import percentile
from tests.support.app_server import serving

PROBE_PERIOD_S, CREATE_PERIOD_S = 0.1, 0.5
PATIENCE_S = 60.0
# One machine asks here; the limits of connections are not what is measured.
SETTINGS = {
    "IDEAPOOL_CONNECTION_LIMIT": "20000",
    "IDEAPOOL_ADDRESS_LIMIT": "20000",
    "IDEAPOOL_MODEL": "small",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` 0 means that none came."""

    status: int
    took_s: float
    has_retry: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    pages: Sequence[Answer]
    creates: Sequence[Answer]
    alive: Sequence[Answer]
    ready: Sequence[Answer]
    late_s: float


Ask = Callable[[int], Coroutine[Any, Any, Answer]]


async def put_to_work(url: str, board: str, *, rate: float, seconds: float) -> Outcome:
    def get(path: str) -> bytes:
        return _request(url, f"GET {path}", "Accept: text/html\r\nAccept-Encoding: gzip\r\n")

    def create(number: int) -> bytes:
        body = json.dumps({"board_id": board, "title": f"Idea {number} in a rush"})
        fields = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return _request(url, "POST /api/v1/ideas", fields) + body.encode()

    def asking(request: Callable[[int], bytes]) -> Ask:
        return lambda number: _ask(url, request(number))

    paces: list[tuple[Ask, float]] = [
        (asking(lambda _: get(f"/boards/{board}")), 1 / rate),
        (asking(create), CREATE_PERIOD_S),
        (asking(lambda _: get("/livez")), PROBE_PERIOD_S),
        (asking(lambda _: get("/readyz")), PROBE_PERIOD_S),
    ]
    found = await asyncio.gather(*(_at_a_pace(ask, period, seconds) for ask, period in paces))
    answers = [one for one, _ in found]
    return Outcome(
        answers[0], answers[1], answers[2], answers[3], max(late_s for _, late_s in found)
    )


def table(outcome: Outcome) -> str:
    rows = [
        _row("pages", outcome.pages),
        _row("creates", outcome.creates),
        _row("/livez", outcome.alive),
        _row("/readyz", outcome.ready),
    ]
    head = (
        "| what | asked | 200 or 201 | 503 | other | p50 ms | p95 ms | most ms | longest 503 ms |"
    )
    return "\n".join([head, "|---" * 9 + "|", *rows])


def _row(name: str, answers: Sequence[Answer]) -> str:
    good = [one.took_s for one in answers if one.status in (200, 201)]
    shed = [one.took_s for one in answers if one.status == 503 and one.has_retry]
    times = [percentile(good, 0.5), percentile(good, 0.95), max(good, default=0.0)]
    times.append(max(shed, default=0.0))
    counts = [len(answers), len(good), len(shed), len(answers) - len(good) - len(shed)]
    return (
        f"| {name} | "
        + " | ".join([*map(str, counts), *(f"{one * 1000:.0f}" for one in times)])
        + " |"
    )


async def _at_a_pace(ask: Ask, period_s: float, seconds: float) -> tuple[list[Answer], float]:
    """Returns the answers, and how late this program itself was with a question."""
    began, late_s = time.perf_counter(), 0.0
    tasks = []
    for number in range(round(seconds / period_s)):
        due = began + number * period_s
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        late_s = max(late_s, time.perf_counter() - due)
        tasks.append(asyncio.create_task(ask(number)))
    return list(await asyncio.gather(*tasks)), late_s


def _request(url: str, line: str, fields: str) -> bytes:
    host = urlsplit(url).netloc
    return f"{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n".encode()


async def _ask(url: str, request: bytes) -> Answer:
    parts, began = urlsplit(url), time.perf_counter()
    try:
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.write(request)
            answer = await reader.read()
            writer.close()
    except (OSError, TimeoutError):
        answer = b""
    head = answer.partition(b"\r\n\r\n")[0].lower()
    status = int(head.split(b" ", 2)[1]) if head.startswith(b"http/") else 0
    return Answer(status, time.perf_counter() - began, b"\r\nretry-after:" in head)


def measure(*, ideas: int, rate: float, seconds: float) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="ideapool-overload-") as folder:
        database = Path(folder) / "board.db"
        with served(f"sqlite:///{database}") as client:
            board = fill(client, ideas)
        settings = SETTINGS | {"IDEAPOOL_DATABASE_URL": f"sqlite:///{database}"}
        with serving(Path(folder), **settings) as server:
            server.await_models()
            # The first pages compile templates and fill caches.
            asyncio.run(put_to_work(server.url, board, rate=5, seconds=2))
            return asyncio.run(put_to_work(server.url, board, rate=rate, seconds=seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ideas", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=200, help="pages a second")
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    outcome = measure(ideas=options.ideas, rate=options.rate, seconds=options.seconds)
    print(table(outcome))
    print(f"\nThe asking program was at most {outcome.late_s * 1000:.0f} ms late.")


if __name__ == "__main__":
    main()
