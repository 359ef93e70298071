"""What the machine grants the model process: CPUs, memory, its rank when either is short."""

import contextlib
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
# Older kernels say "no limit" with a number near the largest there is.
NO_LIMIT_BYTES = 1 << 60
OOM_SCORE = 600
NICENESS = 5


def usable_cpus(cgroup: Path = CGROUP) -> int:
    """CPUs of the affinity mask, or the cgroup's quota where that is less."""
    allowed = len(os.sched_getaffinity(0))
    quota = _quota(cgroup)
    # A thread more than the quota pays for makes every other thread wait for it.
    return max(1, min(allowed, int(quota))) if quota is not None else allowed


def memory_limit_bytes(cgroup: Path = CGROUP) -> int | None:
    """What the container may use; None where only the machine is the limit."""
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
    """Pages stay quick while a model works, and the kernel's memory killer takes the model."""
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
