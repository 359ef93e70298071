"""What the machine gives the model process: CPUs, memory, and its priority for both."""

import contextlib
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
# Older kernels write a number near the largest one for "no limit".
NO_LIMIT_BYTES = 1 << 60
OOM_SCORE = 600
NICENESS = 5


def usable_cpus(cgroup: Path = CGROUP) -> int:
    """The number of CPUs in the affinity mask, or the cgroup's quota if that is less."""
    allowed = len(os.sched_getaffinity(0))
    quota = _quota(cgroup)
    # With more threads than the quota allows, all threads wait for the one that is paused.
    return max(1, min(allowed, int(quota))) if quota is not None else allowed


def memory_limit_bytes(cgroup: Path = CGROUP) -> int | None:
    """The memory limit of the container, or None if there is none."""
    for file in (cgroup / "memory.max", cgroup / "memory" / "memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            limit = int(file.read_text())
            return limit if limit < NO_LIMIT_BYTES else None
    return None


def _quota(cgroup: Path) -> float | None:
    with contextlib.suppress(OSError, ValueError):
        quota, period = (cgroup / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    with contextlib.suppress(OSError, ValueError):
        micros = int((cgroup / "cpu" / "cpu.cfs_quota_us").read_text())
        period_micros = int((cgroup / "cpu" / "cpu.cfs_period_us").read_text())
        return micros / period_micros if micros > 0 else None
    return None


def yield_to_the_server() -> None:
    """Lower the priority, so that pages stay fast and the OOM killer chooses this process."""
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
