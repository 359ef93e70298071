"""Compares two measured systems: the differences and their intervals. Writes nothing."""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.evaluation import ideas, refinements
from training.evaluation.judge import Pair
from training.evaluation.likelihoods import Likelihood, RowLikelihood, total
from training.evaluation.scores import Agreement
from training.evaluation.statistics import (
    Difference,
    Interval,
    holm,
    paired_difference,
    relative_change,
)
from training.evaluation.system import PromptResult, SystemResult

Table = dict[str, Difference]
PAIRS_PER_PROMPT = 3


@dataclass(frozen=True, slots=True)
class LikelihoodChange:
    """`change` is relative, and the same for nats per token and bits per byte."""

    base: Likelihood
    tuned: Likelihood
    change: Interval


@dataclass(frozen=True, slots=True)
class Comparison:
    """`ideas` is by prompt set, `likelihoods` by task. Every p is adjusted by Holm over its table.

    `form` is the share of ideas in the asked form without a grammar, `assessments` that of
    assessments with one.
    """

    ideas: dict[str, Table]
    form: Difference
    refinements: Table
    assessments: Difference
    likelihoods: dict[str, LikelihoodChange]
    agreement: dict[str, Agreement | None]


def compare(base: SystemResult, tuned: SystemResult) -> Comparison:
    """Both systems have to be asked the same prompts."""
    return Comparison(
        ideas={
            name: _ideas(_of_set(base, name), _of_set(tuned, name))
            for name in dict.fromkeys(one.prompt.set for one in base.ideas)
        },
        form=paired_difference(base.in_form, tuned.in_form),
        refinements=_table(
            refinements.METRICS,
            lambda metric: (
                [getattr(one, metric) for one in base.refinements],
                [getattr(one, metric) for one in tuned.refinements],
            ),
        ),
        assessments=paired_difference(base.assessed, tuned.assessed),
        likelihoods=_likelihoods(base.likelihoods, tuned.likelihoods),
        agreement={"base": base.agreement, "tuned": tuned.agreement},
    )


def idea_pairs(base: SystemResult, tuned: SystemResult) -> list[Pair]:
    """For each prompt, some drafts of both systems from the same places, with the same angles."""
    pairs = []
    for i, (a, b) in enumerate(zip(base.ideas, tuned.ideas, strict=True)):
        count = len(a.drafts)
        step = math.ceil(count / PAIRS_PER_PROMPT)
        for place in sorted((i + n) % count for n in range(0, count, step)):
            name = f"{a.prompt.id}-{a.seed}-{place + 1}"
            pairs.append(Pair(name, a.prompt.topic, _shown(a, place), _shown(b, place)))
    return pairs


def pairs_of_notes(
    requests: Sequence[tuple[str, str]], base: Sequence[str], tuned: Sequence[str]
) -> list[Pair]:
    """`requests` has the id and the text of each note."""
    return [
        Pair(name, request, a, b)
        for (name, request), a, b in zip(requests, base, tuned, strict=True)
    ]


def _shown(result: PromptResult, place: int) -> str:
    """The idea as a user sees it, or the answer itself if it cannot be parsed."""
    answer = result.drafts[place].answer
    idea = ideas.parse(answer, result.prompt.topic)
    return answer if idea is None else f"{idea.title}\n{idea.text}"


def _of_set(system: SystemResult, name: str) -> list[list[PromptResult]]:
    """The results of each prompt of a set, with one result for each seed."""
    by_prompt: dict[str, list[PromptResult]] = defaultdict(list)
    for one in system.ideas:
        if one.prompt.set == name:
            by_prompt[one.prompt.id].append(one)
    return list(by_prompt.values())


def _ideas(base: list[list[PromptResult]], tuned: list[list[PromptResult]]) -> Table:
    def values(results: list[list[PromptResult]], metric: str) -> list[float]:
        return [_mean([getattr(one.measures, metric) for one in seeds]) for seeds in results]

    return _table(ideas.METRICS, lambda metric: (values(base, metric), values(tuned, metric)))


def _table(
    metrics: Sequence[str], values: Callable[[str], tuple[Sequence[float], Sequence[float]]]
) -> Table:
    table = {metric: paired_difference(*values(metric)) for metric in metrics}
    measured = {metric: one.p for metric, one in table.items() if one.n}
    adjusted = holm(measured)
    return {metric: replace(table[metric], p=p) for metric, p in adjusted.items()}


def _likelihoods(
    base: Sequence[RowLikelihood], tuned: Sequence[RowLikelihood]
) -> dict[str, LikelihoodChange]:
    changes = {}
    for task in dict.fromkeys(row.task for row in base):
        a = [row for row in base if row.task == task]
        b = [row for row in tuned if row.task == task]
        change = relative_change([row.nll for row in a], [row.nll for row in b])
        changes[task] = LikelihoodChange(total(a), total(b), change)
    return changes


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan
