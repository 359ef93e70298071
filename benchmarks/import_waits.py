"""How long others wait to write while a file is imported, on SQLite and PostgreSQL:
`python -m benchmarks.import_waits`.

Somebody adds an idea, again and again, while nothing happens and then during an import of the given
size. Without HTTP and without the reading of the file, which does not write.
"""

import argparse
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.figures import percentile
from service.errors import StorageUnavailable
from service.schemas.ideas import IdeaCreate
from service.schemas.imports import Draft, ImportPolicy, ParsedFile
from service.store import Limits, Store
from service.store.database import Database
from tests.support.postgresql import PostgresServer

IDLE_S = 3.0
PAUSE_S = 0.01
WORDS = "street party soup kettle chalk lantern ladder drill neighbour school garden music".split()


def file_of(count: int) -> ParsedFile:
    draw = random.Random(1)
    ideas = [
        Draft(
            number,
            f"{' '.join(draw.choices(WORDS, k=4))} {number}",
            " ".join(draw.choices(WORDS, k=60)),
            tags=draw.sample(WORDS, k=2),
        )
        for number in range(count)
    ]
    return ParsedFile(ideas=ideas)


class Writer:
    """Adds ideas until the block ends, and notes how long each took and which were refused."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.times: list[float] = []
        self.refused = 0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        is_over = threading.Event()
        thread = threading.Thread(target=self._write, args=(is_over,))
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def _write(self, is_over: threading.Event) -> None:
        while not is_over.is_set():
            began = time.monotonic()
            try:
                self._store.ideas.create(IdeaCreate(title="In between"))
            except StorageUnavailable:
                self.refused += 1
            self.times.append((time.monotonic() - began) * 1000)
            is_over.wait(PAUSE_S)

    def row(self, kind: str, what: str, elapsed_s: float) -> str:
        p50, p99 = (percentile(self.times, share) for share in (0.5, 0.99))
        waits = f"{p50:.0f} | {p99:.0f} | {max(self.times):.0f}"
        counts = f"{len(self.times)} | {self.refused}"
        return f"| {kind} | {what} | {waits} | {counts} | {elapsed_s:.1f} |"


def measure(kind: str, url: str, sizes: list[int]) -> None:
    with closing(Database(url)) as database:
        database.migrate()
        store = Store(database, Limits(200, 8192, 20))
        store.boards.ensure_one()
        for count in (0, *sizes):
            writer, began = Writer(store), time.monotonic()
            parsed = file_of(count)
            with writer.at_work():
                if count:
                    store.text_import.add(parsed, ImportPolicy())
                else:
                    time.sleep(IDLE_S)
            what = f"{count:,} ideas" if count else "nothing"
            print(writer.row(kind, what, time.monotonic() - began), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ideas", type=int, nargs="+", default=[10_000])
    options = parser.parse_args()
    print("| database | import of | p50 ms | p99 ms | longest ms | writes | refused | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        measure("SQLite", f"sqlite:///{Path(folder) / 'ideas.db'}", options.ideas)
    # Other settings than those of the tests: commits wait for the disk.
    with PostgresServer.running({"listen_addresses": ""}) as server, server.database() as url:
        measure("PostgreSQL", url, options.ideas)


if __name__ == "__main__":
    main()
