"""Sampling tokens from logits that the tests make."""

import numpy as np
import pytest

from service.engine.llama import Sampler
from service.engine.types import Sampling


def logits_of(size: int, seed: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(0, 3, size).astype(np.float32)


@pytest.mark.parametrize("size", [50, 2_560, 49_152, 50_257, 151_936])
@pytest.mark.parametrize("top_k", [1, 7, 40])
def test_only_the_k_most_likely_tokens_are_drawn(size: int, top_k: int) -> None:
    logits = logits_of(size, seed=top_k)
    likeliest = set(np.argsort(-logits)[:top_k].tolist())
    sampler = Sampler(Sampling(temperature=50, top_p=1, top_k=top_k, seed=3))
    drawn = {sampler.sample(logits) for _ in range(60 * top_k)}
    sampler.close()

    assert drawn <= likeliest
    assert len(drawn) > top_k * 0.8


def test_draws_follow_the_probabilities() -> None:
    logits = np.full(5_000, -30, dtype=np.float32)
    logits[[11, 4_999, 64]] = np.log([0.5, 0.3, 0.2])
    sampler = Sampler(Sampling(temperature=1, top_p=1, top_k=40, seed=5))
    drawn = [sampler.sample(logits) for _ in range(4_000)]
    sampler.close()

    assert drawn.count(11) / 4_000 == pytest.approx(0.5, abs=0.03)
    assert drawn.count(4_999) / 4_000 == pytest.approx(0.3, abs=0.03)
    assert drawn.count(64) / 4_000 == pytest.approx(0.2, abs=0.03)


def test_a_frequency_penalty_ends_repetition() -> None:
    logits = logits_of(5_000, seed=1)
    sampler = Sampler(Sampling(temperature=0, frequency_penalty=2.0))
    drawn = [sampler.sample(logits) for _ in range(12)]
    sampler.close()

    assert len(set(drawn)) > 4


def test_a_presence_penalty_counts_a_token_once() -> None:
    logits = np.zeros(5_000, dtype=np.float32)
    logits[7], logits[9] = 10.0, 9.5
    sampler = Sampler(Sampling(temperature=0, presence_penalty=1.0))
    drawn = [sampler.sample(logits) for _ in range(4)]
    sampler.close()

    assert drawn == [7, 9, 7, 7]


def test_a_bias_can_forbid_and_force_tokens() -> None:
    logits = logits_of(5_000, seed=2)
    best = int(logits.argmax())
    sampler = Sampler(Sampling(temperature=0, logit_bias=((best, -100.0), (17, 100.0))))
    drawn = sampler.sample(logits)
    sampler.close()

    assert drawn == 17


def test_sampling_does_not_change_the_logits() -> None:
    logits = logits_of(5_000, seed=3)
    before = logits.copy()
    sampler = Sampler(Sampling(seed=1, presence_penalty=1, logit_bias=((3, 5.0),)))
    for _ in range(5):
        sampler.sample(logits)
    sampler.close()

    assert np.array_equal(logits, before)
