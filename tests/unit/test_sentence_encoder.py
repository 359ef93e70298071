"""The sentence encoder against the model that it was made from."""

from pathlib import Path

import numpy as np
import pytest

from service.analysis.sentence_encoder import FILE, FILE_SHA256, SentenceEncoder, WordPiece
from service.errors import ModelUnavailable

GRANDMA = "gift for my grandmother"


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return SentenceEncoder()


@pytest.fixture(scope="module")
def tokenizer() -> WordPiece:
    with np.load(FILE, allow_pickle=False) as file:
        return WordPiece(bytes(file["pieces"]).decode().split("\n"))


# As the model's own tokenizer gives them (tokenizers 0.23).
@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        (
            "Café für Åsa's 70-årsfest, €50",
            [7668, 6519, 17306, 1005, 1055, 3963, 1011, 29393, 14081, 1010, 1574, 12376],
        ),
        ("東京タワー it’s", [1879, 1755, 1709, 30262, 30265, 2009, 1521, 1055]),
        ("x" * 101, [100]),
        (
            "unbelievably   re-gifted\u0000",
            [4895, 8671, 2666, 3567, 6321, 2128, 1011, 12785],
        ),
    ],
)
def test_a_text_is_cut_into_the_models_own_pieces(
    tokenizer: WordPiece, text: str, tokens: list[int]
) -> None:
    assert tokenizer.tokens(text) == [101, *tokens, 102]


# Cosines of the model in single precision (transformers 5.24).
@pytest.mark.parametrize(
    ("one", "other", "cosine"),
    [
        (GRANDMA, "a present for grandma", 0.859),
        (GRANDMA, "flaky integration tests", -0.091),
        ("a walk to school", "a bus to school", 0.629),
        ("get teenagers to help at home", "teenage children who do no housework", 0.660),
        ("a gift for a teacher", "a gift by a teacher", 0.973),
    ],
)
def test_cosines_are_those_of_the_whole_model(
    encoder: SentenceEncoder, one: str, other: str, cosine: float
) -> None:
    first, second = encoder.embed([one, other])

    assert float(first @ second) == pytest.approx(cosine, abs=0.015)


def test_rows_have_length_one_however_long_the_text(encoder: SentenceEncoder) -> None:
    rows = encoder.embed(["", "soup", "a very long topic " * 200])

    assert rows.shape == (3, 384)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1)
    assert encoder.embed([]).shape == (0, 384)


def test_a_missing_or_damaged_file_is_named(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(FILE.read_bytes()[:-1])

    for path in (tmp_path / "missing.npz", damaged):
        with pytest.raises(ModelUnavailable, match=path.name):
            SentenceEncoder(path, FILE_SHA256).embed(["soup"])
