"""Fifty people who write at once, and a stop while streams are open: `python -m benchmarks.bench_writers`.

On each database: how long each of 50 times 20 new ideas took until it was acknowledged, all clients in
this process, and how long the server took to end after SIGTERM with boards watched and an answer being
written, which gets no time to end (`IDEAPOOL_DRAIN_S=0`). Prints a table in Markdown.
"""

import argparse
import asyncio
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

import httpx2

from benchmarks.figures import percentile
from tests.support.app_server import Server, serving
from tests.support.postgresql import PostgresServer
from tests.support.raw_http import Call, endless

PATIENCE_S = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writers", type=int, default=50)
    parser.add_argument("--writes", type=int, default=20, help="of each, one after the other")
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(
        "| database | writes, p50 · p99 · longest ms | refused with 503 | writes a second "
        "| SIGTERM to the end, s |"
    )
    print("|---|---|---|---|---|", flush=True)
    with PostgresServer.running() as postgresql:
        postgresql.make_template("migrated")
        for _ in range(options.rounds):
            _measure("SQLite", None, options)
            with postgresql.database("migrated") as url:
                _measure("PostgreSQL", url, options)


def _measure(name: str, database_url: str | None, options: argparse.Namespace) -> None:
    settings = {"IDEAPOOL_DRAIN_S": "0"}
    if database_url is not None:
        settings["IDEAPOOL_DATABASE_URL"] = database_url
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), **settings) as server:
        server.await_models()
        began = time.perf_counter()
        times, refused = asyncio.run(_write(server.url, options.writers, options.writes))
        rate = len(times) / (time.perf_counter() - began)
        stop_s = _stopped_under_load(server, options.streams)
    shown = " · ".join(
        f"{1000 * one:.0f}" for one in (percentile(times, 0.5), percentile(times, 0.99), max(times))
    )
    print(f"| {name} | {shown} | {refused} | {rate:.0f} | {stop_s:.1f} |", flush=True)


async def _write(url: str, writers: int, writes: int) -> tuple[list[float], int]:
    """Seconds of each write, from the request to its acknowledgement; and how many were refused."""
    refused = 0
    limits = httpx2.Limits(max_connections=writers)
    async with httpx2.AsyncClient(base_url=url, timeout=PATIENCE_S, limits=limits) as client:

        async def write_all(writer: int) -> list[float]:
            nonlocal refused
            times = []
            for number in range(writes):
                title = {"title": f"Idea {number} of writer {writer}"}
                began = time.perf_counter()
                answer = await client.post("/api/v1/ideas", json=title)
                if answer.status_code == 503:
                    refused += 1
                    continue
                answer.raise_for_status()
                times.append(time.perf_counter() - began)
            return times

        found = await asyncio.gather(*map(write_all, range(writers)))
    return [one for times in found for one in times], refused


def _stopped_under_load(server: Server, streams: int) -> float:
    board = server.http.get("/api/v1/boards").json()[0]["id"]
    with ExitStack() as stack:
        for _ in range(streams):
            watching = stack.enter_context(closing(Call(server)))
            assert watching.get(f"/api/v1/boards/{board}/events").answer.status == 200
        answering = stack.enter_context(closing(Call(server)))
        path, body = "/v1/chat/completions", endless("Tell me all of it.", 1500)
        assert answering.post(path, body).answer.status == 200
        return server.stop()


if __name__ == "__main__":
    main()
