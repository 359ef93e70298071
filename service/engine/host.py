"""What the machine grants the model process: its CPUs, its rank when memory or time is short."""

import contextlib
import os
from pathlib import Path

OOM_SCORE = 600
NICENESS = 5


def usable_cpus(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """CPUs of the affinity mask, or the cgroup's quota where that is less."""
    allowed = len(os.sched_getaffinity(0))
    quota = _quota(cgroup)
    # A thread more than the quota pays for makes every other thread wait for it.
    return max(1, min(allowed, int(quota))) if quota is not None else allowed


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
    """Pages stay quick while a model works, and the kernel's memory killer takes the model."""
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
