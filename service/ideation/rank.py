"""The model's ranking: pair by pair, those that tell most, each asked in both orders.

A small model likes whatever stands first, or last. So each pair is asked both ways; where the two
answers disagree, the place decided and not the idea: that is a tie.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from service.errors import ModelUnavailable
from service.fields import Outcome
from service.ideation.asking import Asker, attempt_seed
from service.ideation.plan import RankWork
from service.ideation.steps import Compared
from service.prompts import COMPARE_CHOICES, compare_messages
from service.ranking import Question, Ranking, Result
from service.store.comparisons import Verdict


async def rank(asker: Asker, work: RankWork, seed: int) -> dict[str, Any]:
    results, settled = list(work.known), set(work.settled)
    for attempt in range(work.pairs):
        question = await asyncio.to_thread(
            _next, list(work.texts), results, seed=attempt_seed(seed, attempt), without=settled
        )
        if question is None:
            break
        verdict = await _compare(asker, work, question)
        result = Result(question.first, question.second, verdict.outcome)
        results = [one for one in results if one.pair != result.pair] + [result]
        settled.add(result.pair)
        await asker.emit(Compared(verdict))
    return {}


def _next(
    ideas: Sequence[str], results: Sequence[Result], *, seed: int, without: set[frozenset[str]]
) -> Question | None:
    return Ranking(ideas, results).next_question(seed=seed, without=without)


async def _compare(asker: Asker, work: RankWork, question: Question) -> Verdict:
    first, second = work.texts[question.first], work.texts[question.second]
    one, other = (first.title, first.body), (second.title, second.body)
    prompts = (
        compare_messages(one, other, work.goal),
        compare_messages(other, one, work.goal),
    )
    forward, backward = await asker.choose(prompts, COMPARE_CHOICES)
    as_first, as_second = preference(forward), 1 - preference(backward)
    return Verdict(
        board_id=work.board_id,
        first_id=question.first,
        first_version=first.version,
        second_id=question.second,
        second_version=second.version,
        outcome=outcome_of(as_first, as_second),
        probability=round((as_first + as_second) / 2, 4),
    )


def preference(row: Sequence[float]) -> float:
    """How likely A is, of A and B."""
    total = sum(row)
    if total <= 0:
        raise ModelUnavailable(
            "The model gives neither A nor B any probability: it cannot compare ideas."
        )
    return row[0] / total


def outcome_of(as_first: float, as_second: float) -> Outcome:
    """What is said when the idea stands first, and when it stands second."""
    if as_first > 0.5 and as_second > 0.5:
        return "first"
    if as_first < 0.5 and as_second < 0.5:
        return "second"
    return "tie"
