"""Which requests share a batch, simulated from the first request to the last."""

import itertools
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from service.engine.decoding.batching import Batcher, Candidate

CHUNK_S, TOKEN_S = 0.04, 0.02


@dataclass
class Life:
    """A request: chunks of its prompt to decode, and then tokens of its answer."""

    chunks: int
    tokens: int
    began: int = field(default=-1)


lives = st.lists(
    st.builds(Life, chunks=st.integers(1, 6), tokens=st.integers(1, 12)), min_size=1, max_size=12
)


def run(requests: list[Life]) -> list[list[int]]:
    """The keys of every batch, until all requests are done."""
    batcher: Batcher[int] = Batcher()
    history: list[list[int]] = []
    while any(one.chunks or one.tokens for one in requests):
        candidates = [
            Candidate(key, is_answer=not one.chunks)
            for key, one in enumerate(requests)
            if one.chunks or one.tokens
        ]
        batch = batcher.next(candidates)
        for key in batch:
            one = requests[key]
            if one.chunks:
                one.chunks -= 1
            else:
                one.tokens -= 1
        batcher.record(CHUNK_S if len(batch) == 1 else TOKEN_S)
        history.append(batch)
    return history


@given(lives)
def test_no_batch_is_empty_and_all_work_is_done(requests: list[Life]) -> None:
    work = Counter({key: one.chunks + one.tokens for key, one in enumerate(requests)})
    history = run(requests)

    assert all(history)
    assert Counter(key for batch in history for key in batch) == work


@given(lives)
def test_a_batch_with_answers_has_one_token_of_each_running_answer(
    requests: list[Life],
) -> None:
    left = {key: [one.chunks, one.tokens] for key, one in enumerate(requests)}
    for batch in run(requests):
        answering = {key for key, (chunks, tokens) in left.items() if not chunks and tokens}
        if answering & set(batch):
            assert set(batch) == answering
        for key in batch:
            left[key][0 if left[key][0] else 1] -= 1


@given(lives)
def test_prompts_are_finished_in_order_of_arrival(requests: list[Life]) -> None:
    left = {key: one.chunks for key, one in enumerate(requests)}
    for batch in run(requests):
        chunks = [key for key in batch if left[key]]
        first = [key for key, count in left.items() if count][:1]
        assert chunks in ([], first)
        for key in chunks:
            left[key] -= 1


@given(lives)
def test_neither_prompts_nor_answers_starve(requests: list[Life]) -> None:
    left = {key: [one.chunks, one.tokens] for key, one in enumerate(requests)}
    answers_in_a_row = chunks_in_a_row = 0
    for batch in run(requests):
        has_prompts = any(chunks for chunks, _ in left.values())
        has_answers = any(not chunks and tokens for chunks, tokens in left.values())
        is_prompt = bool(left[batch[0]][0])
        answers_in_a_row = 0 if is_prompt or not has_prompts else answers_in_a_row + 1
        chunks_in_a_row = chunks_in_a_row + 1 if is_prompt and has_answers else 0
        assert answers_in_a_row <= 2
        # At most twelve requests wait for their first token, each with PREFILL_SHARE of a token's time.
        assert chunks_in_a_row <= 2 * 12
        for key in batch:
            left[key][0 if left[key][0] else 1] -= 1


def test_one_prompt_among_many_answers_goes_piece_by_piece() -> None:
    history = run([Life(0, 20) for _ in range(8)] + [Life(4, 1)])
    chunks = [turn for turn, batch in enumerate(history) if batch == [8]][:4]

    assert all(after - before == 2 for before, after in itertools.pairwise(chunks))
