"""Adapters that are merged or applied at run time, and shared weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from service.engine.catalog import Adapter, CatalogModel
from service.engine.embedded.backend import EmbeddedBackend
from service.engine.types import (
    AdapterUse,
    Finished,
    Message,
    Probabilities,
    ProbeRequest,
    Quantisation,
)
from tests.engine.conftest import Ask, Collect, NewBackend
from tests.support.gguf import Floats, write_adapter

WIDTH, RANK, BLOCKS = 576, 4, 8


@pytest.fixture(scope="module")
def adapter_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random numbers of the right shapes."""
    random = np.random.default_rng(7)

    def numbers(*shape: int) -> Floats:
        return random.normal(scale=0.1, size=shape).astype(np.float32)

    pairs = {
        f"blk.{block}.attn_q.weight": (numbers(RANK, WIDTH), numbers(WIDTH, RANK))
        for block in range(BLOCKS)
    }
    return write_adapter(tmp_path_factory.mktemp("adapter") / "random.gguf", pairs, alpha=8.0)


def resident_bytes(backend: EmbeddedBackend) -> int:
    status = Path(f"/proc/{backend.stats().process_id}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def row_of(collect: Collect, backend: EmbeddedBackend, model: str) -> tuple[float, ...]:
    prompt = (Message("user", "A garden on the roof. Rate it from 0 to 9."),)
    answer = collect(ProbeRequest("probe", model, (prompt,), tuple("0123456789")), backend)[-1]
    assert isinstance(answer, Probabilities)
    return answer.rows[0]


def test_an_adapter_changes_the_numbers_and_scale_zero_does_not(
    new_backend: NewBackend, small_path: Path, adapter_path: Path, collect: Collect
) -> None:
    plain = CatalogModel("plain", ("general",), path=small_path, context=512)
    adapter = Adapter(adapter_path, use="shared")
    tuned = replace(plain, name="tuned", adapter=adapter)
    muted = replace(plain, name="muted", adapter=replace(adapter, scale=0))
    backend = new_backend(plain, tuned, muted)

    assert row_of(collect, backend, "muted") == row_of(collect, backend, "plain")
    assert row_of(collect, backend, "tuned") != row_of(collect, backend, "plain")
    assert len(backend.models()[1].adapter_sha256 or "") == 64


@pytest.mark.parametrize(("quantise", "tolerance"), [("f16", 0.002), ("q8_0", 0.02), (None, 0.04)])
def test_a_merged_adapter_gives_the_same_numbers_as_one_applied_at_run_time(
    new_backend: NewBackend,
    small_path: Path,
    adapter_path: Path,
    collect: Collect,
    quantise: Quantisation | None,
    tolerance: float,
) -> None:
    """Within the precision of the weights' type."""
    plain = CatalogModel("plain", ("general",), path=small_path, context=512, quantise=quantise)
    shared = replace(plain, name="shared", adapter=Adapter(adapter_path, use="shared"))
    merged = replace(plain, name="merged", adapter=Adapter(adapter_path))
    backend = new_backend(plain, shared, merged)
    rows = {name: row_of(collect, backend, name) for name in ("plain", "shared", "merged")}

    assert rows["merged"] == pytest.approx(rows["shared"], abs=tolerance)
    assert rows["merged"] != rows["plain"]


@pytest.mark.parametrize("use", ["merged", "shared"])
def test_an_adapter_of_another_model_is_refused(
    new_backend: NewBackend, small_path: Path, tmp_path: Path, use: AdapterUse
) -> None:
    path = write_adapter(tmp_path / "other.gguf", {}, architecture="qwen2")
    model = CatalogModel("m", ("general",), path=small_path, adapter=Adapter(path, use=use))
    (info,) = new_backend(model).models()

    assert info.state == "failed"
    assert "other.gguf" in (info.error or "")


def test_two_models_of_the_same_file_share_its_memory(
    new_backend: NewBackend, small_path: Path
) -> None:
    one = CatalogModel("one", ("general",), path=small_path, context=256)
    two = CatalogModel("two", ("brainstorm",), path=small_path, context=256)
    alone = resident_bytes(new_backend(one))
    together = resident_bytes(new_backend(one, two))

    assert together - alone < small_path.stat().st_size / 2


def test_models_of_one_process_do_not_share_their_cache(
    new_backend: NewBackend,
    small_path: Path,
    adapter_path: Path,
    collect: Collect,
    ask: Ask,
) -> None:
    one = CatalogModel("one", ("general",), path=small_path, context=512)
    two = CatalogModel(
        "two",
        ("brainstorm",),
        path=small_path,
        context=512,
        adapter=Adapter(adapter_path, use="shared"),
    )
    backend = new_backend(one, two)
    long = "The garden is small. " * 40
    first = collect(ask(long, model="one", max_tokens=2), backend)[-1]
    second = collect(ask(long, model="two", max_tokens=2), backend)[-1]

    assert isinstance(first, Finished)
    assert isinstance(second, Finished)
    assert second.usage.cached_tokens == 0
