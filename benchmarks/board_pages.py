"""How fast pages of a large board are on SQLite and PostgreSQL: `python -m benchmarks.board_pages`.

Times the server side alone, in process and without a network. The databases take turns, so that what
else the machine does is in the times of both.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psycopg
from fastapi.testclient import TestClient

from benchmarks.bench_board import fill, forget_pages
from service.app import create_app
from service.settings import PROJECT_ROOT, Settings
from service.store.copying import copy_database
from service.store.database import Database
from tests.support.fake_backend import FakeBackend
from tests.support.postgresql import PostgresServer

# Slow pages are rarer than these, so that one in twenty is a page as people see it.
CALLS, PERCENTILE = 100, 0.95
PAGES = {
    "board": "/boards/{board}",
    "board, by title": "/boards/{board}?sort=title",
    "board, last changed": "/boards/{board}?sort=updated",
    "board, by score": "/boards/{board}?sort=score",
    "board, by rank": "/boards/{board}?sort=rank",
    "board, search": "/boards/{board}?q=chairs+film",
    "board, one tag": "/boards/{board}?tag=city",
    "summary": "/boards/{board}/summary",
    "lineage": "/boards/{board}/lineage",
    "trash": "/boards/{board}/trash",
    "REST list": "/api/v1/ideas?board={board}",
    "REST search": "/api/v1/ideas?q=chairs+film",
}
Times = dict[str, dict[str, float]]


def compare(
    urls: Mapping[str, str], board: str, pages: Mapping[str, str] = PAGES, *, calls: int = CALLS
) -> Times:
    """Returns the p95 of each page in milliseconds, by page and by the name of the database.

    The databases have the same ideas; `board` is the id of the board to look at.
    """
    with ExitStack() as stack:
        clients = {name: stack.enter_context(served(url)) for name, url in urls.items()}
        return {
            page: _p95s(clients, address.format(board=board), calls)
            for page, address in pages.items()
        }


def measure(*, ideas: int, calls: int = CALLS) -> Times:
    """As `compare`, on a PostgreSQL of its own and a file, with so many ideas on the board."""
    with PostgresServer.running() as server, tempfile.TemporaryDirectory() as folder:
        urls, board = fill_both(Path(folder), server, ideas)
        return compare(urls, board, calls=calls)


def table(times: Times) -> str:
    """The times with their ratio, the second database's by the first's, as Markdown."""
    names = list(next(iter(times.values())))
    lines = [f"| page, p95 in ms | {' | '.join(names)} | ratio |", "|---" * (len(names) + 2) + "|"]
    for page, found in times.items():
        first, *_, last = found.values()
        cells = " | ".join(f"{found[name]:.1f}" for name in names)
        lines.append(f"| {page} | {cells} | {last / first:.2f} |")
    return "\n".join(lines)


def fill_both(folder: Path, server: PostgresServer, count: int) -> tuple[dict[str, str], str]:
    """Makes the same board on both; returns the URLs by the kind of database, and the board's id."""
    url = f"sqlite:///{folder / 'board.db'}"
    with served(url) as client:
        board = fill(client, count)
    return {"SQLite": url, "PostgreSQL": copied_to(server, url)}, board


def copied_to(server: PostgresServer, url: str) -> str:
    """Copies a database into the server; returns the URL of the copy."""
    server.make_template("shared")
    copy = server.url("shared")
    with closing(Database(url)) as old, closing(Database(copy)) as new:
        copy_database(old, new, lambda _table, _rows: None)
    # The autovacuum of a real server does this within a minute.
    with psycopg.connect(copy, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return copy


def _p95s(clients: Mapping[str, TestClient], path: str, calls: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in clients}
    for call in range(calls + 5):
        for name, client in clients.items():
            forget_pages(client)
            began = time.perf_counter()
            client.get(path, headers={"accept": "text/html"}).raise_for_status()
            # The first ones fill caches.
            if call >= 5:
                times[name].append((time.perf_counter() - began) * 1000)
    return {name: sorted(found)[int(calls * PERCENTILE)] for name, found in times.items()}


@contextmanager
def served(url: str) -> Iterator[TestClient]:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=Path(folder),
            database_url=url,
            bundled_models_dir=PROJECT_ROOT / "data" / "models",
            idea_bank=False,
            board_ideas=False,
        )
        app = create_app(settings, FakeBackend())
        with TestClient(app, base_url="http://localhost") as client:
            yield client


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ideas", type=int, default=10_000)
    parser.add_argument("--calls", type=int, default=CALLS)
    options = parser.parse_args()
    print(table(measure(ideas=options.ideas, calls=options.calls)))


if __name__ == "__main__":
    main()
