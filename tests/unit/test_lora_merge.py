"""The arithmetic of merging, compared with gguf's own reader and numpy."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Kind
from numpy.typing import NDArray

from service.engine.files.lora_merge import MergeableAdapter
from service.engine.llama.gguf_file import GgufFile
from service.engine.llama.quantise import GRIDS, to_floats, type_name
from service.errors import ModelUnavailable
from tests.support.gguf import Floats, write_adapter, write_gguf

ROWS, COLUMNS, RANK = 96, 512, 4
NAME, OTHER = "blk.0.attn_q.weight", "blk.0.attn_k.weight"
GRID_KINDS = [kind for kind in Kind if kind.name.lower() in {name.lower() for name in GRIDS}]
random = np.random.default_rng(5)


def numbers(*shape: int, scale: float = 1.0) -> Floats:
    return random.normal(scale=scale, size=shape).astype(np.float32)


def pair(rank: int = RANK, scale: float = 0.1) -> tuple[Floats, Floats]:
    return numbers(rank, COLUMNS), numbers(ROWS, rank, scale=scale)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    tensors = {NAME: numbers(ROWS, COLUMNS), OTHER: numbers(ROWS, COLUMNS)}
    return write_gguf(tmp_path / "base.gguf", tensors)


def merge(base: Path, adapter: Path, scale: float = 1.0) -> Path:
    """A copy of the base with the adapter in it."""
    target = base.with_name("merged.gguf")
    shutil.copy(base, target)
    MergeableAdapter.of(adapter, GgufFile.read(base), scale).merge_into(target, 2, lambda *_: None)
    return target


def read(path: Path) -> dict[str, NDArray[Any]]:
    reader = gguf.GGUFReader(path)
    return {one.name: gguf.dequantize(one.data, one.tensor_type) for one in reader.tensors}


def test_the_tensors_of_a_file_are_found_where_gguf_wrote_them(tmp_path: Path) -> None:
    tensors = {
        NAME: numbers(ROWS, COLUMNS),
        "norm.weight": numbers(COLUMNS),
        "experts.weight": numbers(3, ROWS, COLUMNS),
    }
    path = write_gguf(tmp_path / "a.gguf", tensors, kind=Kind.Q4_K, texts={"general.name": "é"})
    layout = GgufFile.read(path)
    expected = {
        one.name: (one.tensor_type, one.data_offset, one.n_bytes)
        for one in gguf.GGUFReader(path).tensors
    }

    assert {
        name: (one.kind, one.offset, one.size_bytes) for name, one in layout.tensors.items()
    } == expected
    assert layout.tensors["experts.weight"].shape == (3, ROWS, COLUMNS)
    assert layout.tensors["norm.weight"].shape == (1, COLUMNS)
    assert layout.metadata["general.architecture"] == "llama"
    assert layout.metadata["general.name"] == "é"


@pytest.mark.parametrize("kind", [*GRID_KINDS, Kind.F16, Kind.BF16, Kind.F32], ids=str)
def test_blocks_are_read_as_gguf_reads_them(tmp_path: Path, kind: Kind) -> None:
    path = write_gguf(tmp_path / "a.gguf", {NAME: numbers(ROWS, COLUMNS)}, kind=kind)
    tensor = GgufFile.read(path).tensors[NAME]
    blocks = path.read_bytes()[tensor.offset : tensor.offset + tensor.size_bytes]

    np.testing.assert_allclose(
        to_floats(tensor, blocks, ROWS), read(path)[NAME], rtol=1e-5, atol=1e-6
    )
    assert type_name(tensor).lower() == kind.name.lower()


@pytest.mark.parametrize("alpha", [0.0, 16.0])
@pytest.mark.parametrize("rank", [1, RANK])
def test_the_change_is_scaled_by_scale_times_alpha_by_rank(
    tmp_path: Path, base: Path, alpha: float, rank: int
) -> None:
    a, b = pair(rank)
    adapter = write_adapter(tmp_path / "lora.gguf", {NAME: (a, b)}, alpha=alpha)
    merged = read(merge(base, adapter, scale=0.5))[NAME]
    strength = 0.5 * (alpha / rank if alpha else 1.0)

    np.testing.assert_allclose(merged, read(base)[NAME] + strength * (b @ a), rtol=1e-4, atol=1e-4)


def test_other_tensors_and_the_header_keep_every_byte(tmp_path: Path, base: Path) -> None:
    adapter = write_adapter(tmp_path / "lora.gguf", {NAME: pair()})
    place = GgufFile.read(base).tensors[NAME]
    before, after = base.read_bytes(), merge(base, adapter).read_bytes()
    end = place.offset + place.size_bytes

    assert before[: place.offset] == after[: place.offset]
    assert before[place.offset : end] != after[place.offset : end]
    assert before[end:] == after[end:]


@pytest.mark.parametrize("kind", [Kind.Q4_0, Kind.Q4_K, Kind.F16], ids=str)
def test_scale_zero_leaves_the_base_unchanged(tmp_path: Path, kind: Kind) -> None:
    base = write_gguf(tmp_path / "base.gguf", {NAME: numbers(ROWS, COLUMNS)}, kind=kind)
    adapter = write_adapter(tmp_path / "lora.gguf", {NAME: pair()})

    assert merge(base, adapter, scale=0.0).read_bytes() == base.read_bytes()


@pytest.mark.parametrize("kind", GRID_KINDS, ids=str)
def test_a_change_far_smaller_than_a_step_survives_on_average(tmp_path: Path, kind: Kind) -> None:
    base = write_gguf(tmp_path / "base.gguf", {NAME: numbers(ROWS, COLUMNS)}, kind=kind)
    a, b = pair(scale=0.01)
    merged = merge(base, write_adapter(tmp_path / "lora.gguf", {NAME: (a, b)}))
    wanted, change = b @ a, read(merged)[NAME] - read(base)[NAME]

    assert np.vdot(change, wanted) / np.vdot(wanted, wanted) == pytest.approx(1.0, abs=0.2)


def test_the_same_inputs_make_the_same_bytes(tmp_path: Path) -> None:
    tensors = {NAME: numbers(ROWS, COLUMNS)}
    base = write_gguf(tmp_path / "base.gguf", tensors, kind=Kind.Q4_0)
    adapter = write_adapter(tmp_path / "lora.gguf", {NAME: pair()})

    assert merge(base, adapter).read_bytes() == merge(base, adapter).read_bytes()


def test_a_tensor_of_another_type_than_the_base_gets_the_change_too(tmp_path: Path) -> None:
    values = numbers(ROWS, COLUMNS)
    base = write_gguf(tmp_path / "base.gguf", {NAME: values}, kind=Kind.Q8_0)
    target = write_gguf(tmp_path / "target.gguf", {NAME: values}, kind=Kind.F16)
    a, b = pair()
    adapter = MergeableAdapter.of(
        write_adapter(tmp_path / "a.gguf", {NAME: (a, b)}), GgufFile.read(base), 1.0
    )
    adapter.merge_into(target, 1, lambda *_: None)

    np.testing.assert_allclose(read(target)[NAME], read(base)[NAME] + b @ a, rtol=1e-2, atol=1e-2)


def test_each_expert_gets_its_own_change(tmp_path: Path) -> None:
    name, a, b = "blk.0.ffn_up_exps.weight", numbers(3, RANK, COLUMNS), numbers(3, ROWS, RANK)
    base = write_gguf(tmp_path / "base.gguf", {name: numbers(3, ROWS, COLUMNS)})
    merged = merge(base, write_adapter(tmp_path / "lora.gguf", {name: (a, b)}))

    np.testing.assert_allclose(read(merged)[name], read(base)[name] + b @ a, rtol=1e-4, atol=1e-4)


def test_the_pair_for_the_embeddings_is_transposed(tmp_path: Path) -> None:
    name, a, b = "token_embd.weight", numbers(ROWS, RANK), numbers(COLUMNS, RANK)
    tensors = {name: numbers(ROWS, COLUMNS), "output.weight": numbers(ROWS, COLUMNS)}
    base = write_gguf(tmp_path / "base.gguf", tensors)
    merged = merge(base, write_adapter(tmp_path / "lora.gguf", {name: (a, b)}))

    np.testing.assert_allclose(read(merged)[name], read(base)[name] + a @ b.T, rtol=1e-4, atol=1e-4)


def test_norms_in_an_adapter_are_ignored_as_in_llama_cpp(tmp_path: Path, base: Path) -> None:
    path = write_gguf(
        tmp_path / "lora.gguf",
        {
            f"{NAME}.lora_a": numbers(RANK, COLUMNS),
            f"{NAME}.lora_b": numbers(ROWS, RANK),
            "blk.0.attn_norm.weight": numbers(COLUMNS),
        },
        texts={"general.type": "adapter", "adapter.type": "lora"},
        alpha=0.0,
    )

    assert MergeableAdapter.of(path, GgufFile.read(base), 1.0).changes == [NAME]


Writer = Callable[[Path], Path]


def adapter_with(**options: Any) -> Writer:
    options = {"pairs": {NAME: pair()}} | options
    return lambda path: write_adapter(path, options.pop("pairs"), **options)


def half_a_pair(path: Path) -> Path:
    about = {"general.type": "adapter", "adapter.type": "lora"}
    return write_gguf(path, {f"{NAME}.lora_a": pair()[0]}, texts=about, alpha=1.0)


def not_finite(path: Path) -> Path:
    a, b = pair()
    b[3, 2] = np.nan
    return write_adapter(path, {NAME: (a, b)})


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (adapter_with(architecture="qwen2"), "for the architecture qwen2, and the base is llama"),
        (adapter_with(texts={"adapter.type": "alora"}), "not a LoRA adapter"),
        (adapter_with(pairs={"blk.9.attn_q.weight": pair()}), "no tensor blk.9.attn_q.weight"),
        (adapter_with(pairs={NAME: pair()[::-1]}), "do not have the shape"),
        (half_a_pair, "are not a pair"),
        (not_finite, "not finite"),
        (
            adapter_with(texts={"adapter.alora.invocation_tokens": "?"}),
            "Set IDEAPOOL_ADAPTERS=shared",
        ),
    ],
)
def test_an_adapter_that_does_not_fit_is_refused_with_the_reason(
    tmp_path: Path, base: Path, write: Writer, words: str
) -> None:
    with pytest.raises(ModelUnavailable, match="cannot be merged") as error:
        merge(base, write(tmp_path / "lora.gguf"))

    assert words in error.value.detail
    assert "lora.gguf" in error.value.detail


def test_a_change_of_tied_embeddings_is_refused(tmp_path: Path) -> None:
    name = "token_embd.weight"
    base = write_gguf(tmp_path / "base.gguf", {name: numbers(ROWS, COLUMNS)})
    adapter = write_adapter(
        tmp_path / "lora.gguf", {name: (numbers(ROWS, RANK), numbers(COLUMNS, RANK))}
    )

    with pytest.raises(ModelUnavailable, match="also uses as output"):
        merge(base, adapter)


def test_a_base_that_scales_a_tensors_results_is_refused(tmp_path: Path) -> None:
    tensors = {NAME: numbers(ROWS, COLUMNS), "blk.0.attn_q.scale": numbers(1)}
    base = write_gguf(tmp_path / "base.gguf", tensors)

    with pytest.raises(ModelUnavailable, match="scales the results"):
        merge(base, write_adapter(tmp_path / "lora.gguf", {NAME: pair()}))


def test_a_type_whose_values_are_not_evenly_spaced_is_refused(tmp_path: Path) -> None:
    tensors = {NAME: numbers(ROWS, COLUMNS)}
    base = write_gguf(tmp_path / "base.gguf", tensors, kind=Kind.IQ4_NL)

    with pytest.raises(ModelUnavailable, match=r"type iq4_nl. Set `quantise`"):
        merge(base, write_adapter(tmp_path / "lora.gguf", {NAME: pair()}))


@pytest.mark.parametrize("keep", [0, 3, 200, -100])
def test_a_damaged_file_is_refused(base: Path, keep: int) -> None:
    base.write_bytes(base.read_bytes()[:keep])

    with pytest.raises(ModelUnavailable, match=r"base\.gguf is"):
        GgufFile.read(base)


def test_equal_weights_get_the_change_without_rounding(tmp_path: Path) -> None:
    base = write_gguf(
        tmp_path / "base.gguf", {NAME: np.zeros((ROWS, COLUMNS), np.float32)}, kind=Kind.Q8_0
    )
    a, b = pair()
    merged = merge(base, write_adapter(tmp_path / "lora.gguf", {NAME: (a, b)}))

    np.testing.assert_allclose(read(merged)[NAME], b @ a, atol=0.01)
