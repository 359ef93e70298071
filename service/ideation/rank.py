"""The model compares ideas in pairs: the most informative ones, each in both orders.

A small model prefers whatever comes first, or last. So each pair is asked in both orders; if the
answers disagree, the position decided and not the idea, and the pair is a tie.

All questions begin with the same instructions and examples. The engine decodes these once per
request, and the prompts of a request one after the other. So several pairs share a request, which
saves the common part; several requests at a time would save nothing and make others wait.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from service.analysis.bradley_terry import Pair, Question, Ranking, Result
from service.analysis.standings import board_standings
from service.engine.types import Message
from service.errors import Conflict, ModelUnavailable
from service.ideation.events import Compared
from service.ideation.model_client import ModelClient, attempt_seed
from service.ideation.use_case import Plan, PlanContext, RunContext
from service.messages import Text
from service.prompts.compare import COMPARE_CHOICES, compare_messages
from service.schemas.fields import Outcome
from service.schemas.ranking import RankTask
from service.store.comparisons import ContenderText, Verdict

# With ideas of one paragraph, four pairs take twice as long as one.
PAIRS_PER_REQUEST = 4
Chat = tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class RankWork:
    """`known` are the model's earlier verdicts; pairs in `settled` are not asked again."""

    board_id: str
    goal: str
    texts: dict[str, ContenderText]
    known: tuple[Result, ...]
    settled: frozenset[Pair]
    pairs: int


def plan_ranking(context: PlanContext[RankTask]) -> Plan[RankTask, RankWork]:
    task, store = context.task, context.store
    board = store.boards.default() if task.board_id is None else store.boards.get(task.board_id)
    standings = board_standings(store, board.id, "model")
    texts = {one.id: one for one in store.comparisons.texts(board.id)}
    if len(texts) < 2:
        raise Conflict(Text("There are no two ideas to compare. Add some to the board first."))
    settled = frozenset(pair for pair in standings.settled if pair <= texts.keys())
    open_pairs = len(texts) * (len(texts) - 1) // 2 - len(settled)
    if not open_pairs:
        raise Conflict(
            Text(
                "The model has compared every pair of these ideas, and would answer the same again."
            )
        )
    # Store the real number of pairs: progress needs a total.
    task = task.model_copy(update={"pairs": min(task.pairs, open_pairs), "board_id": board.id})
    work = RankWork(board.id, board.goal, texts, tuple(standings.results), settled, task.pairs)
    return Plan(task, work, board_id=board.id)


async def rank(context: RunContext, work: RankWork) -> dict[str, Any]:
    model_client, seed = context.client, context.seed
    results, settled = list(work.known), set(work.settled)
    asked = 0
    while asked < work.pairs:
        # One pair at first, to see that it works, and while others wait for the engine.
        most = (
            1
            if asked == 0 or model_client.is_shared
            else min(PAIRS_PER_REQUEST, work.pairs - asked)
        )
        questions = await asyncio.to_thread(
            _next_questions,
            list(work.texts),
            results,
            most=most,
            seed=attempt_seed(seed, asked),
            without=settled,
        )
        if not questions:
            break
        for verdict in await _compare(model_client, work, questions):
            result = Result(verdict.first_id, verdict.second_id, verdict.outcome)
            results = [one for one in results if one.pair != result.pair] + [result]
            settled.add(result.pair)
            await model_client.emit(Compared(verdict))
        asked += len(questions)
    return {}


def _next_questions(
    ideas: Sequence[str],
    results: Sequence[Result],
    *,
    most: int,
    seed: int,
    without: set[Pair],
) -> list[Question]:
    """The most informative pairs; each is chosen as if those before it were ties."""
    questions: list[Question] = []
    while len(questions) < most:
        ties = [Result(one.first, one.second, "tie") for one in questions]
        taken = without | {one.pair for one in ties}
        ranking = Ranking(ideas, [*results, *ties])
        question = ranking.next_question(seed=attempt_seed(seed, len(questions)), without=taken)
        if question is None:
            break
        questions.append(question)
    return questions


async def _compare(
    model_client: ModelClient, work: RankWork, questions: Sequence[Question]
) -> list[Verdict]:
    chats = {
        (one, other): _chat(work, one, other)
        for question in questions
        for one, other in (
            (question.first, question.second),
            (question.second, question.first),
        )
    }
    # Sorted, because what two consecutive prompts have in common is decoded once.
    order = sorted(chats, key=lambda both: chats[both][-1].content)
    rows = await model_client.choose(tuple(chats[both] for both in order), COMPARE_CHOICES)
    preferences = dict(zip(order, map(preference, rows), strict=True))
    return [_verdict(work, question, preferences) for question in questions]


def _chat(work: RankWork, first_id: str, second_id: str) -> Chat:
    first, second = work.texts[first_id], work.texts[second_id]
    return compare_messages((first.title, first.body), (second.title, second.body), work.goal)


def _verdict(
    work: RankWork, question: Question, preferences: dict[tuple[str, str], float]
) -> Verdict:
    as_first = preferences[question.first, question.second]
    as_second = 1 - preferences[question.second, question.first]
    return Verdict(
        board_id=work.board_id,
        first_id=question.first,
        first_version=work.texts[question.first].version,
        second_id=question.second,
        second_version=work.texts[question.second].version,
        outcome=outcome_of(as_first, as_second),
        probability=round((as_first + as_second) / 2, 4),
    )


def preference(row: Sequence[float]) -> float:
    """The probability of A, given that the answer is A or B."""
    total = sum(row)
    if total <= 0:
        raise ModelUnavailable(
            Text("This model cannot compare ideas: it gives neither A nor B any probability.")
        )
    return row[0] / total


def outcome_of(as_first: float, as_second: float) -> Outcome:
    """The outcome from the probabilities that the idea wins when it comes first and second."""
    if as_first > 0.5 and as_second > 0.5:
        return "first"
    if as_first < 0.5 and as_second < 0.5:
        return "second"
    return "tie"
