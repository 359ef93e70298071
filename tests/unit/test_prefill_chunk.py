import pytest

from service.engine.decoding.loaded_model import (
    CPU_CHUNK,
    GPU_CHUNK,
    SMALL_MODEL_CPU_CHUNK,
    prefill_chunk_tokens,
)

SMALL, STANDARD = 135_000_000, 1_500_000_000


@pytest.mark.parametrize(
    ("parameters", "gpu_layers", "chunk"),
    [
        (SMALL, 0, SMALL_MODEL_CPU_CHUNK),
        (STANDARD, 0, CPU_CHUNK),
        (SMALL, -1, GPU_CHUNK),
        (STANDARD, 20, GPU_CHUNK),
    ],
)
def test_faster_models_get_larger_prefill_chunks(
    parameters: int, gpu_layers: int, chunk: int
) -> None:
    assert prefill_chunk_tokens(parameters, gpu_layers) == chunk
