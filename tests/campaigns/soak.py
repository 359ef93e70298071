"""The soak of the benchmarks: a dozen clients who ask, leave, cancel and dawdle."""

from pathlib import Path

from benchmarks.bench_soak import Soak
from tests.campaigns.report import Report
from tests.support.app_server import serving

MINUTES = 5.0
CLIENTS = 12


def campaign(folder: Path, *, minutes: float = MINUTES) -> Report:
    """On the real small model."""
    report = Report("Soak")
    with serving(folder) as server:
        server.await_models()
        soak = Soak(server, folder, minutes=minutes, clients=CLIENTS)
        soak.run()
    calls = soak.tally.ends().total()
    for law, seen, holds in soak.laws:
        report.add(f"calls of {CLIENTS} clients", calls, found=seen, promised=law, holds=holds)
    return report
