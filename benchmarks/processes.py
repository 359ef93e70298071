"""What a server's processes take and run with, read from /proc."""

import contextlib
import os
from pathlib import Path


def tree(process_id: int) -> list[int]:
    """The process and all below it."""
    found = [process_id]
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{process_id}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += tree(int(child))
    return found


def pss_bytes(process_id: int) -> int:
    """Memory of the tree, shared pages divided among those that share them."""
    total = 0
    for one in tree(process_id):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total


def thread_settings(process_id: int) -> dict[str, str]:
    """What the tree's processes were told about OpenMP."""
    found = {}
    for one in tree(process_id):
        for entry in Path(f"/proc/{one}/environ").read_bytes().split(b"\0"):
            name, _, value = entry.decode(errors="replace").partition("=")
            if name.startswith(("OMP_", "GOMP_")):
                found[name] = value
    return found


def cpu_seconds(process_id: int, *, with_ended: bool = False) -> float:
    """Processor time of the tree since it began, on request with what has ended of it."""
    ticks = 0
    for one in tree(process_id):
        with contextlib.suppress(OSError):
            # The name in the second field may have spaces; the numbers come after its bracket.
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11 : 15 if with_ended else 13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def machine_cpu_seconds() -> float:
    """Processor time of the whole machine, with what its host took away from it."""
    user, nice, system, _, _, *rest = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")
