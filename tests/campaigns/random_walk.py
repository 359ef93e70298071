"""A long random walk over REST on a running server, compared with a plain model."""

from pathlib import Path

from tests.campaigns.report import Report, tell
from tests.support.app_server import Server, serving, without_models
from tests.support.random_walk import RandomWalk

STEPS = 2_000
PART = 250


def campaign(folder: Path, *, steps: int = STEPS, seed: int = 7) -> Report:
    """Reads everything back after each part, and once more after the server was killed."""
    report = Report("Random walk")
    with serving(folder, **without_models(folder)) as server:
        walk = RandomWalk(server.http, seed)
        for taken in walk.walk_and_compare(steps, PART):
            tell(f"{taken} of {steps} steps, {len(walk.faults)} faults")
        walked = len(walk.faults)
        _restart(server)
        walk.compare()
    kinds = ", ".join(f"{name} {count}" for name, count in walk.taken.most_common())
    report.add_faults(
        f"steps with seed {seed} ({kinds})",
        walk.taken.total(),
        walk.faults[:walked],
        "each is answered and stored as a plain model says",
    )
    report.add_faults(
        "restarts after kill -9 at the end", 1, walk.faults[walked:], "nothing differs"
    )
    return report


def _restart(server: Server) -> None:
    server.kill()
    server.start()
