"""How fast the board and its search are with many ideas: `python -m benchmarks.bench_board`.

Times the server side alone, in process and without a network, over 200 calls each.
"""

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path

from fastapi.testclient import TestClient

from service.app import create_app
from service.schemas.ideas import IdeaCreate
from service.settings import PROJECT_ROOT, Settings
from tests.support.fake_backend import IDEAS, FakeBackend

CALLS = 200
WORDS = sorted({word.strip(".,").lower() for _, text in IDEAS for word in text.split()})


def fill(client: TestClient, count: int) -> str:
    store = client.app.state.store  # type: ignore[attr-defined]
    board: str = store.boards.default().id
    draw = random.Random(1)
    for number in range(count):
        store.ideas.create(
            IdeaCreate(
                board_id=board,
                title=" ".join(draw.sample(WORDS, 4)).capitalize(),
                body=" ".join(draw.choices(WORDS, k=60)).capitalize() + ".",
                tags=draw.sample(["home", "work", "city", "school", "fun"], 2),
                star=number % 7 == 0,
            )
        )
    return board


def forget_pages(client: TestClient) -> None:
    """As after a change: a kept page would take the same time whatever is on it."""
    client.app.state.kept_pages.clear()  # type: ignore[attr-defined]


def timed(client: TestClient, path: str) -> str:
    times = []
    for _ in range(CALLS):
        forget_pages(client)
        began = time.perf_counter()
        client.get(path, headers={"accept": "text/html"}).raise_for_status()
        times.append((time.perf_counter() - began) * 1000)
    times.sort()
    return f"p50 {statistics.median(times):6.1f} ms   p95 {times[int(CALLS * 0.95)]:6.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ideas", type=int, default=10_000)
    count = parser.parse_args().ideas
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=Path(folder), bundled_models_dir=PROJECT_ROOT / "data" / "models"
        )
        app = create_app(settings, FakeBackend())
        with TestClient(app, base_url="http://localhost") as client:
            board = fill(client, count)
            for name, path in (
                ("board page", f"/boards/{board}"),
                ("board page, search", f"/boards/{board}?q=chairs+film"),
                ("board page, one tag", f"/boards/{board}?tag=city"),
                ("REST list", f"/api/v1/ideas?board={board}"),
                ("REST search", "/api/v1/ideas?q=chairs+film"),
            ):
                print(f"{name:22} {timed(client, path)}")


if __name__ == "__main__":
    main()
