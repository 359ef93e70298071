"""Measures a model's ideas for a prompt: whether they are valid, on topic and different.

First drafts are measured. What the service does with them later, such as dropping similar ones, does
not count. Knows no engine.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from service.errors import AnswerUnusable
from service.prompts.answers import ParsedSuggestion, parse_suggestion
from training.evaluation.constraints import Constraints, broken
from training.evaluation.embedder import Embed, Vectors

SAME_WORDS = 0.458
"""ROUGE-1 F above which two answers count as the same (NoveltyBench's unigram partition)."""
SAME_MEANING = 0.8
"""Cosine at which two ideas count as the same (Si et al. 2024)."""
ON_TOPIC = 0.2
"""Cosine of idea and topic. In our ideation set, 84 % of ideas reach it with their own topic and 15 %
with another one.
"""
_GRAM = 4


@dataclass(frozen=True, slots=True)
class Prompt:
    """A topic to ask ideas for. `set` names the file that it is from."""

    id: str
    set: str
    topic: str
    context: str
    constraints: Constraints


@dataclass(frozen=True, slots=True)
class Draft:
    """`is_whole` is True if the model ended the answer itself."""

    answer: str
    tokens: int
    is_whole: bool


@dataclass(frozen=True, slots=True)
class IdeaMeasures:
    """The measures of one prompt's drafts; NaN if there is nothing to measure.

    `valid`, `on_topic`: shares of the drafts. `distinct`: the number of ideas with different words.
    `udi`: the number of ideas that are on topic and different in words and meaning.
    `self_repetition`: the share of an idea's runs of four words that other ideas of the model have,
    for any prompt. `vendi`: the effective number of different ideas. `kept`: the share of valid ideas
    that keep the prompt's constraints. `words`: the length of an idea's text.
    """

    valid: float
    on_topic: float
    distinct: float
    udi: float
    udi_per_1000_tokens: float
    self_repetition: float
    vendi: float
    kept: float
    words: float


METRICS = tuple(field.name for field in fields(IdeaMeasures))


def measure(
    answered: Sequence[tuple[Prompt, Sequence[Draft]]], embed: Embed
) -> tuple[IdeaMeasures, ...]:
    parsed = [
        [idea for draft in drafts if (idea := parse(draft.answer, prompt.topic)) is not None]
        for prompt, drafts in answered
    ]
    spread = Counter(gram for ideas in parsed for idea in ideas for gram in _grams(idea.text))
    return tuple(
        _measure(prompt, drafts, ideas, spread, embed)
        for (prompt, drafts), ideas in zip(answered, parsed, strict=True)
    )


def parse(answer: str, topic: str) -> ParsedSuggestion | None:
    try:
        return parse_suggestion(answer, topic=topic)
    except AnswerUnusable:
        return None


def is_in_form(draft: Draft) -> bool:
    """Whether a draft without a grammar has the asked form and ended by itself."""
    return (
        draft.is_whole
        and re.fullmatch(r"Title: [^\n]{1,200}\nIdea: [^\n]+", draft.answer.strip()) is not None
    )


def rouge_1(a: str, b: str) -> float:
    """F1 of the words the texts have in common."""
    words_a, words_b = Counter(_words(a)), Counter(_words(b))
    common = sum((words_a & words_b).values())
    return 2 * common / total if (total := words_a.total() + words_b.total()) else 0.0


def partition(count: int, is_same: Callable[[int, int], bool]) -> list[list[int]]:
    """Groups items: each item joins the first class whose first member it is the same as."""
    classes: list[list[int]] = []
    for i in range(count):
        home = next((one for one in classes if is_same(one[0], i)), None)
        if home is None:
            classes.append([i])
        else:
            home.append(i)
    return classes


def vendi(vectors: Vectors) -> float:
    """The Vendi score (Friedman and Dieng): exp of the entropy of the eigenvalues of the cosines."""
    if not len(vectors):
        return 0.0
    kernel: NDArray[np.float64] = (vectors @ vectors.T).astype(np.float64) / len(vectors)
    values = np.linalg.eigvalsh(kernel)
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def _measure(
    prompt: Prompt,
    drafts: Sequence[Draft],
    ideas: Sequence[ParsedSuggestion],
    spread: Counter[tuple[str, ...]],
    embed: Embed,
) -> IdeaMeasures:
    texts = [f"{idea.title}. {idea.text}" for idea in ideas]
    vectors = embed([prompt.topic, *texts])
    about, made = vectors[:1], vectors[1:]
    fit = [i for i in range(len(ideas)) if float(made[i] @ about[0]) >= ON_TOPIC]

    def same_words(a: int, b: int) -> bool:
        return rouge_1(texts[a], texts[b]) > SAME_WORDS

    def same(a: int, b: int) -> bool:
        a, b = fit[a], fit[b]
        return same_words(a, b) or float(made[a] @ made[b]) >= SAME_MEANING

    useful = len(partition(len(fit), same))
    tokens = sum(draft.tokens for draft in drafts)
    constraints = prompt.constraints
    return IdeaMeasures(
        valid=len(ideas) / len(drafts),
        on_topic=len(fit) / len(drafts),
        distinct=len(partition(len(ideas), same_words)),
        udi=useful,
        udi_per_1000_tokens=1000 * useful / tokens if tokens else 0.0,
        self_repetition=_mean([_repeated(idea.text, spread) for idea in ideas]),
        vendi=vendi(made),
        kept=_mean(
            [not broken(constraints, idea.title, idea.text) for idea in ideas]
            if constraints.given
            else []
        ),
        words=_mean([len(idea.text.split()) for idea in ideas]),
    )


def _repeated(text: str, spread: Counter[tuple[str, ...]]) -> float:
    grams = _grams(text)
    return sum(spread[gram] > 1 for gram in grams) / len(grams) if grams else 0.0


def _grams(text: str) -> frozenset[tuple[str, ...]]:
    words = _words(text)
    return frozenset(tuple(words[i : i + _GRAM]) for i in range(len(words) - _GRAM + 1))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
