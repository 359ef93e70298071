"""Kills a server with SIGKILL again and again while programs write, and looks for what was acknowledged.

Programs repeat what got no answer with the same `Idempotency-Key`, as the documentation advises. A kill
of the process does not test whether the disk keeps what it was told to write: that would take the
power away.
"""

import asyncio
import random
import time
from pathlib import Path

from benchmarks.figures import percentile
from benchmarks.team_client import Client
from benchmarks.team_ledger import Ledger
from benchmarks.team_read_back import missing
from benchmarks.team_writers import Writers
from service.app import create_app
from service.settings import Settings
from tests.campaigns.database_file import file_faults
from tests.campaigns.report import Report, tell
from tests.campaigns.whole_writes import BulkChanges, Imports, Keeping, Whole
from tests.support.app_server import Server, served, serving
from tests.support.fuzzing import Inexhaustible

SECONDS = 240.0
READY_S = 10.0
SHORTEST_S, LONGEST_S = 0.3, 3.0
WRITERS = 6
PACE_S = 0.05


def campaign(settings: Settings, folder: Path, *, seconds: float = SECONDS) -> Report:
    """The engine is a fake behind HTTP, which is not killed and answers at once."""
    report = Report("Kills")
    engine = settings.model_copy(update={"data_dir": folder / "engine"})
    with served(create_app(engine, Inexhaustible())) as url:
        data = folder / "server"
        data.mkdir()
        with serving(data, IDEAPOOL_ENGINE_URL=url, IDEAPOOL_ENGINE_MODEL="fake") as server:
            asyncio.run(_run(report, server, seconds))
        faults = file_faults(data / "ideapool.db")
        report.add_faults("integrity check of the database file", 1, faults, "ok")
    return report


async def _run(report: Report, server: Server, seconds: float) -> None:
    async with Client(server.url) as client:
        whole = Whole(client)
        boards = [await whole.new_board(f"Board {number}") for number in range(2)]
        programs = (BulkChanges(whole), Imports(whole), Keeping(whole))
        async with Writers(client, boards, count=WRITERS, pace_s=PACE_S) as writers:
            is_over = asyncio.Event()
            tasks = [asyncio.create_task(one.write(is_over)) for one in programs]
            ready_s = await _kill(server, seconds)
            is_over.set()
            await asyncio.gather(*tasks)
        writers.check()
        for one in programs:
            await one.check()
        lost = await missing(server.url, boards, writers.ledger)
        repeated = client.repeated.total()
    _add_kills(report, ready_s, repeated)
    _add_writes(report, writers.ledger, lost, whole)


async def _kill(server: Server, seconds: float) -> list[float]:
    """How long it took after each kill until the server was ready again."""
    chance, ready_s = random.Random(11), list[float]()
    began = told = time.monotonic()
    while (now := time.monotonic()) < began + seconds:
        await asyncio.sleep(chance.uniform(SHORTEST_S, LONGEST_S))
        server.kill()
        killed = time.monotonic()
        await asyncio.to_thread(server.start)
        ready_s.append(time.monotonic() - killed)
        if now - told > 20:
            tell(f"{now - began:.0f} of {seconds:.0f} s, {len(ready_s)} kills")
            told = now
    return ready_s


def _add_kills(report: Report, ready_s: list[float], repeated: int) -> None:
    report.add(
        f"kill -9 under {WRITERS + 3} programs that write, {repeated} requests repeated",
        len(ready_s),
        found=f"ready after {percentile(ready_s, 0.5):.1f} s, at most {max(ready_s):.1f} s",
        promised=f"half of the times ready again within {READY_S:.0f} s",
        holds=percentile(ready_s, 0.5) < READY_S,
    )


def _add_writes(report: Report, ledger: Ledger, lost: list[str], whole: Whole) -> None:
    report.add_faults(
        f"acknowledged writes of single things ({_counts(ledger.acknowledged)})",
        ledger.acknowledged.total(),
        lost + ledger.overwritten,
        "none is lost, overwritten or there twice",
    )
    report.add_faults(
        f"acknowledged writes of several things ({_counts(whole.acknowledged)})",
        whole.acknowledged.total(),
        whole.lost + whole.torn,
        "none is lost or torn",
    )
    refused = ledger.refused + whole.refused
    report.add_faults(
        "requests that were never carried out", len(refused), refused, "repetition always helps"
    )


def _counts(counted: "dict[str, int]") -> str:
    return ", ".join(f"{name} {count}" for name, count in counted.items())
