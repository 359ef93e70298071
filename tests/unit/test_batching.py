"""The laws of what is decoded next, over whole lives of requests."""

import itertools
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from service.engine.decoding.batching import Batcher, Part

PIECE_S, TOKEN_S = 0.04, 0.02


@dataclass
class Life:
    """A request of so many pieces and then so many tokens."""

    pieces: int
    tokens: int
    began: int = field(default=-1)


lives = st.lists(
    st.builds(Life, pieces=st.integers(1, 6), tokens=st.integers(1, 12)), min_size=1, max_size=12
)


def run(requests: list[Life]) -> list[list[int]]:
    """Every decode there was, until all are done."""
    batcher: Batcher[int] = Batcher()
    history: list[list[int]] = []
    while any(one.pieces or one.tokens for one in requests):
        parts = [
            Part(key, is_answer=not one.pieces)
            for key, one in enumerate(requests)
            if one.pieces or one.tokens
        ]
        batch = batcher.next(parts)
        for key in batch:
            one = requests[key]
            if one.pieces:
                one.pieces -= 1
            else:
                one.tokens -= 1
        batcher.took(PIECE_S if len(batch) == 1 else TOKEN_S)
        history.append(batch)
    return history


@given(lives)
def test_every_decode_does_something_and_all_is_done(requests: list[Life]) -> None:
    work = Counter({key: one.pieces + one.tokens for key, one in enumerate(requests)})
    history = run(requests)

    assert all(history)
    assert Counter(key for batch in history for key in batch) == work


@given(lives)
def test_running_answers_get_a_token_each_in_every_decode_that_has_one(
    requests: list[Life],
) -> None:
    left = {key: [one.pieces, one.tokens] for key, one in enumerate(requests)}
    for batch in run(requests):
        answering = {key for key, (pieces, tokens) in left.items() if not pieces and tokens}
        if answering & set(batch):
            assert set(batch) == answering
        for key in batch:
            left[key][0 if left[key][0] else 1] -= 1


@given(lives)
def test_prompts_are_finished_in_the_order_they_came(requests: list[Life]) -> None:
    left = {key: one.pieces for key, one in enumerate(requests)}
    for batch in run(requests):
        pieces = [key for key in batch if left[key]]
        first = [key for key, count in left.items() if count][:1]
        assert pieces in ([], first)
        for key in pieces:
            left[key] -= 1


@given(lives)
def test_neither_side_starves(requests: list[Life]) -> None:
    left = {key: [one.pieces, one.tokens] for key, one in enumerate(requests)}
    answers_in_a_row = pieces_in_a_row = 0
    for batch in run(requests):
        has_prompts = any(pieces for pieces, _ in left.values())
        has_answers = any(not pieces and tokens for pieces, tokens in left.values())
        is_prompt = bool(left[batch[0]][0])
        answers_in_a_row = 0 if is_prompt or not has_prompts else answers_in_a_row + 1
        pieces_in_a_row = pieces_in_a_row + 1 if is_prompt and has_answers else 0
        assert answers_in_a_row <= 2
        # Twelve wait for their first token at most, and PROMPT_SHARE of a token's time is theirs.
        assert pieces_in_a_row <= 2 * 12
        for key in batch:
            left[key][0 if left[key][0] else 1] -= 1


def test_one_prompt_among_many_answers_goes_piece_by_piece() -> None:
    history = run([Life(0, 20) for _ in range(8)] + [Life(4, 1)])
    pieces = [turn for turn, batch in enumerate(history) if batch == [8]][:4]

    assert all(after - before == 2 for before, after in itertools.pairwise(pieces))
