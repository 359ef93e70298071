import os
from pathlib import Path

import pytest

from service.engine.host import memory_limit_bytes, usable_cpus


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("max 100000", None), ("100000 100000", 1), ("50000 100000", 1), ("9900000 100000", None)],
)
def test_a_quota_limits_the_threads(tmp_path: Path, limit: str, expected: int | None) -> None:
    (tmp_path / "cpu.max").write_text(limit)

    assert usable_cpus(tmp_path) == (expected or len(os.sched_getaffinity(0)))


def test_the_quota_of_older_kernels_counts_too(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("100000")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")

    assert usable_cpus(tmp_path) == 1


def test_without_a_quota_the_affinity_counts(tmp_path: Path) -> None:
    assert usable_cpus(tmp_path) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("file", "text", "limit"),
    [
        ("memory.max", "2000000000\n", 2_000_000_000),
        ("memory.max", "max\n", None),
        ("memory/memory.limit_in_bytes", "2000000000\n", 2_000_000_000),
        ("memory/memory.limit_in_bytes", "9223372036854771712\n", None),
        ("nothing", "", None),
    ],
)
def test_the_memory_limit_of_the_container_is_read(
    tmp_path: Path, file: str, text: str, limit: int | None
) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)

    assert memory_limit_bytes(tmp_path) == limit
