import os
from pathlib import Path

import pytest

from service.engine.host import memory_bytes, memory_limit_bytes, usable_cpus


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


def test_where_python_counts_the_usable_cpus_it_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "process_cpu_count", lambda: 3, raising=False)

    assert usable_cpus(tmp_path) == 3


@pytest.mark.parametrize(("counted", "usable"), [(6, 6), (None, 1)])
def test_where_the_system_knows_no_affinity_every_cpu_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: int | None, usable: int
) -> None:
    for name in ("process_cpu_count", "sched_getaffinity"):
        monkeypatch.delattr(os, name, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: counted)

    assert usable_cpus(tmp_path) == usable


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


def test_a_limit_counts_where_it_is_less_than_the_machine_has(tmp_path: Path) -> None:
    machine = memory_bytes(tmp_path)
    (tmp_path / "memory.max").write_text("2000000\n")

    assert machine > memory_bytes(tmp_path) == 2_000_000
