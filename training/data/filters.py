"""Decides which rows are good enough to learn from, and gives the reason for each that is not."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, inf, isfinite
from typing import Protocol

from service.text.cleaning import count_words
from training.config import FilterConfig
from training.data.rows import Dropped, Row
from training.data.tasks import NOT_ALLOWED, Rendered
from training.data.texts import user_text

SHORT_ANSWER = "the answer is too short"
LONG_ANSWER = "the answer is too long"
OTHER_LANGUAGE = "the text is not in English"
REFUSAL = "the answer refuses or talks about being a model"
PROMPT_NO_HELP = "the prompt hardly makes the answer likelier (IFD)"
TOO_LONG = "the prompt leaves no room for the answer within `data.max_tokens`"
NOT_PLAIN = "the answer surprises the base model more than others of its task"

# Frequent short words, one line for each language. Words that English also has are left out, even
# as part of a contraction, such as the Turkish "ve".
ENGLISH = frozenset(
    "the of and to is that for with are on it as be this you your from or by at not its".split()
)
OTHER = frozenset(
    """der das und ist nicht mit für von dem den ein eine auf sich
    le les et est une des pour dans qui pas du
    el es por para con del una que
    il di che per non sono della
    um uma não da os
    het een en de la
    och att det är som på för inte ett av från eller också
    og er af til ikke jeg fra ved
    ja ei että joka jotka ovat kun niin mutta myös hän voi kuin sekä
    nie się na jest że jak oraz dla przez od który która które której są po przy lub tylko
    je se že jsou není jako aby při nebo také už
    bir bu için ile olarak daha çok gibi olan değil veya kadar""".split()
)
# A name may contain one or two foreign words.
FOREIGN_WORDS = 3
LATIN_SHARE = 0.8

_REFUSAL = re.compile(
    r"\s*(?:(?:i['’]?m )?(?:very |so )?sorry,? (?:but )?|unfortunately,? |i apologi[sz]e,? but )*"
    r"(?:i|we) (?:cannot|can['’]?t|can not|am (?:unable|not able) to|won['’]?t) (?:be able to )?"
    r"(?:help|assist|provide|answer|fulfil|comply|generate|create|engage|access|browse|do that)"
    r"|(?s:.*)\bas an? (?:ai|artificial intelligence|large language model|language model)\b",
    re.IGNORECASE,
)
_LETTER = re.compile(r"[^\W\d_]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class RowLikelihood:
    """The NLL per token of an answer under the base, and its ratio to that without the prompt."""

    nll: float
    ifd: float


class Likelihood(Protocol):
    def __call__(self, rows: Sequence[Row]) -> Sequence[RowLikelihood]:
        """One likelihood for each row, in order; infinite if the answer does not fit."""
        ...


def keep_good(
    rendered: Iterable[Rendered], config: FilterConfig
) -> tuple[list[Row], list[Dropped]]:
    kept: list[Row] = []
    dropped: list[Dropped] = []
    for one in rendered:
        why = _form_problem(one, config) or _text_problem(one.row, config)
        if why is None:
            kept.append(one.row)
        else:
            dropped.append(Dropped(one.row, why))
    return kept, dropped


def keep_likely(
    rows: Sequence[Row], config: FilterConfig, likelihood: Likelihood
) -> tuple[list[Row], list[Dropped]]:
    measured = likelihood(rows)
    limits = _plain_limits(rows, measured, config.plainest_share)
    kept: list[Row] = []
    dropped: list[Dropped] = []
    for row, value in zip(rows, measured, strict=True):
        if not isfinite(value.nll):
            dropped.append(Dropped(row, TOO_LONG))
        elif config.ifd_max is not None and value.ifd > config.ifd_max:
            dropped.append(Dropped(row, PROMPT_NO_HELP, f"IFD {value.ifd:.2f}"))
        elif value.nll > limits[row.task]:
            dropped.append(Dropped(row, NOT_PLAIN, f"NLL {value.nll:.2f} per token"))
        else:
            kept.append(row)
    return kept, dropped


def is_english(text: str) -> bool:
    """Decides by the script and by frequent short words; without either, a text counts as English."""
    if len(_LATIN.findall(text)) < LATIN_SHARE * len(_LETTER.findall(text)):
        return False
    words = _WORD.findall(text.casefold())
    foreign = sum(word in OTHER for word in words)
    return foreign < FOREIGN_WORDS or foreign <= sum(word in ENGLISH for word in words)


def is_refusal(answer: str) -> bool:
    return _REFUSAL.match(answer) is not None


def _form_problem(rendered: Rendered, config: FilterConfig) -> str | None:
    if rendered.refusal == NOT_ALLOWED and not config.grammar:
        return None
    return rendered.refusal


def _text_problem(row: Row, config: FilterConfig) -> str | None:
    length = count_words(row.answer)
    if length < config.min_answer_words:
        return SHORT_ANSWER
    if config.max_answer_words is not None and length > config.max_answer_words:
        return LONG_ANSWER
    if config.language == "en" and not is_english(f"{user_text(row)}\n{row.answer}"):
        return OTHER_LANGUAGE
    answers = (message.content for message in row.messages if message.role == "assistant")
    if config.refusals and any(map(is_refusal, answers)):
        return REFUSAL
    return None


def _plain_limits(
    rows: Sequence[Row], measured: Sequence[RowLikelihood], share: float | None
) -> dict[str, float]:
    """The highest NLL to keep, by task."""
    by_task: dict[str, list[float]] = {}
    for row, value in zip(rows, measured, strict=True):
        by_task.setdefault(row.task, []).append(value.nll)
    if share is None:
        return dict.fromkeys(by_task, inf)
    return {task: sorted(nlls)[ceil(share * len(nlls)) - 1] for task, nlls in by_task.items()}
