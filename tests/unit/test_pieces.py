import pytest

from service.engine.decoding.loaded_model import CPU_PIECE, GPU_PIECE, SMALL_CPU_PIECE, piece_of

SMALL, STANDARD = 135_000_000, 1_500_000_000


@pytest.mark.parametrize(
    ("parameters", "gpu_layers", "piece"),
    [
        (SMALL, 0, SMALL_CPU_PIECE),
        (STANDARD, 0, CPU_PIECE),
        (SMALL, -1, GPU_PIECE),
        (STANDARD, 20, GPU_PIECE),
    ],
)
def test_the_faster_a_model_reads_the_larger_the_pieces_of_its_prompts(
    parameters: int, gpu_layers: int, piece: int
) -> None:
    assert piece_of(parameters, gpu_layers) == piece
