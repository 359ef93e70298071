"""What a misspelt word costs a search, on SQLite and PostgreSQL: `python -m benchmarks.search_typos`.

The ideas have as many different words as notes of people have, because each search with a typo compares
it with all of them. Times the server side alone, as `benchmarks.board_pages` does.
"""

import argparse
import random
import tempfile
from pathlib import Path

from fastapi.testclient import TestClient

from benchmarks.board_pages import CALLS, compare, copied_to, served, table
from tests.support.postgresql import PostgresServer

WORDS = 20_000
BATCH = 500
# A frequent word and a rare one, of which each search has a wrong form.
WELL, BADLY = "street lantern", "sreet lantren"
PAGES = {
    f"{name}, {kind}": address.format(q=q.replace(" ", "+"), board="{board}")
    for name, address in (
        ("board", "/boards/{board}?q={q}"),
        ("REST", "/api/v1/ideas?q={q}"),
        ("palette", "/palette?q={q}"),
    )
    for kind, q in (("as written", WELL), ("misspelt", BADLY))
}


def fill(client: TestClient, count: int) -> str:
    """Imports ideas with words as frequent as in a language: the second half as often as the first."""
    draw = random.Random(1)
    words = [*WELL.split(), *_words(draw, WORDS)]
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    board: str = client.get("/api/v1/boards").json()[0]["id"]
    for _ in range(0, count, BATCH):
        texts = [" ".join(draw.choices(words, weights, k=45)) for _ in range(BATCH)]
        rows = "".join(f"{text[:40]},{text},draft\n" for text in texts)
        answer = client.post(
            f"/api/v1/import?board={board}",
            content="title,body,status\n" + rows,
            headers={"content-type": "text/csv"},
        )
        answer.raise_for_status()
    return board


def _words(draw: random.Random, count: int) -> list[str]:
    """Invented words of two to five syllables."""
    parts = [start + end for start in "bdfghklmnprstv" for end in ("a", "e", "i", "o", "un", "er")]
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(draw.choices(parts, k=draw.randint(2, 5)))] = None
    return list(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ideas", type=int, default=10_000)
    parser.add_argument("--calls", type=int, default=CALLS)
    options = parser.parse_args()
    with PostgresServer.running() as server, tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'board.db'}"
        with served(url) as client:
            board = fill(client, options.ideas)
        urls = {"SQLite": url, "PostgreSQL": copied_to(server, url)}
        print(table(compare(urls, board, PAGES, calls=options.calls)))


if __name__ == "__main__":
    main()
