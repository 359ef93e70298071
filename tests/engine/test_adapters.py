"""Adapters and shared weights."""

from pathlib import Path

import gguf
import numpy as np
import pytest

from service.engine.catalog import Adapter, CatalogModel
from service.engine.embedded import EmbeddedBackend
from service.engine.types import Finished, Message, Probabilities, ProbeRequest
from tests.engine.conftest import Ask, Collect, NewBackend

WIDTH, RANK, BLOCKS = 576, 4, 8


@pytest.fixture(scope="module")
def adapter_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random numbers of the right shapes."""
    path = tmp_path_factory.mktemp("adapter") / "random.gguf"
    random = np.random.default_rng(7)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 8.0)
    for block in range(BLOCKS):
        for side, shape in (("a", (RANK, WIDTH)), ("b", (WIDTH, RANK))):
            tensor = random.normal(scale=0.1, size=shape).astype(np.float32)
            writer.add_tensor(f"blk.{block}.attn_q.weight.lora_{side}", tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


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
    tuned = CatalogModel(
        "tuned", ("brainstorm",), path=small_path, context=512, adapter=Adapter(adapter_path)
    )
    muted = CatalogModel(
        "muted",
        ("brainstorm",),
        path=small_path,
        context=512,
        adapter=Adapter(adapter_path, scale=0),
    )
    backend = new_backend(plain, tuned, muted)

    assert row_of(collect, backend, "muted") == row_of(collect, backend, "plain")
    assert row_of(collect, backend, "tuned") != row_of(collect, backend, "plain")
    assert len(backend.models()[1].adapter_sha256 or "") == 64


def test_an_adapter_of_another_model_is_refused(
    new_backend: NewBackend, small_path: Path, tmp_path: Path
) -> None:
    path = tmp_path / "other.gguf"
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    model = CatalogModel("m", ("general",), path=small_path, adapter=Adapter(path))
    (info,) = new_backend(model).models()

    assert info.state == "failed"
    assert "other.gguf" in (info.error or "")


def test_two_models_of_one_file_share_its_memory(new_backend: NewBackend, small_path: Path) -> None:
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
        "two", ("brainstorm",), path=small_path, context=512, adapter=Adapter(adapter_path)
    )
    backend = new_backend(one, two)
    long = "The garden is small. " * 40
    first = collect(ask(long, model="one", max_tokens=2), backend)[-1]
    second = collect(ask(long, model="two", max_tokens=2), backend)[-1]

    assert isinstance(first, Finished)
    assert isinstance(second, Finished)
    assert second.usage.cached_tokens == 0
