"""What the machine gives the model process: CPUs, memory, and its priority for both."""

import contextlib
import os
import platform
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
CPU_INFO = Path("/proc/cpuinfo")
# Older kernels write a number near the largest one for "no limit".
NO_LIMIT_BYTES = 1 << 60
OOM_SCORE = 600
NICENESS = 5


def usable_cpus(cgroup: Path = CGROUP) -> int:
    """The number of CPUs that this process may use, or the cgroup's quota if that is less."""
    allowed = _allowed_cpus()
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


def cpu_features() -> frozenset[str]:
    """What the CPU can do, as Linux on x86-64 lists it; empty elsewhere."""
    return frozenset(_cpu_info("flags").split())


def cpu_name() -> str:
    """As the maker calls it, or else the kind of machine."""
    return _cpu_info("model name") or platform.processor() or platform.machine()


def _cpu_info(key: str) -> str:
    try:
        lines = CPU_INFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    values = (line.partition(":")[2] for line in lines if line.startswith(key))
    return next(values, "").strip()


def memory_bytes(cgroup: Path = CGROUP) -> int:
    """The memory of the machine, or the container's limit if that is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(total, memory_limit_bytes(cgroup) or total)


def _allowed_cpus() -> int:
    # From Python 3.13 on; before, only Linux and BSD tell which CPUs a process may use.
    if hasattr(os, "process_cpu_count"):
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
