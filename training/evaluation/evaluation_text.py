"""Formats an evaluation as Markdown from the values of its JSON file."""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import shorten
from typing import Any

from training.evaluation.statistics import LEAST_PAIRS

Values = Mapping[str, Any]

NAMES = {
    "valid": "valid answers, share",
    "on_topic": "on topic, share",
    "distinct": "distinct ideas",
    "udi": "useful distinct ideas (UDI)",
    "udi_per_1000_tokens": "UDI per 1,000 tokens",
    "self_repetition": "self-repetition",
    "vendi": "Vendi score",
    "kept": "constraints kept, share",
    "words": "words of an idea",
    "facts_kept": "facts kept, share",
    "numbers_added": "numbers added",
    "length": "length relative to the note",
    "obeyed": "wishes followed, share",
}
LONGEST_SAMPLE = 1500
"""In characters. A model that repeats itself writes up to its limit."""
IN_SHORT = ("valid", "on_topic", "udi", "kept")
"""The metrics of ideas that a card shows."""
INTERVALS = (
    "Intervals are from a paired bootstrap over prompts; p is adjusted by Holm over each table. Neither "
    f"is given for fewer than {LEAST_PAIRS} pairs, where no exact test can reach 0.05."
)


def as_markdown(evaluation: Values) -> str:
    return "\n".join(_lines(evaluation)).rstrip() + "\n"


def in_short(evaluation: Values) -> Iterator[str]:
    """The main figures, for a model's card."""
    comparison = evaluation["comparison"]
    yield (
        f"`{evaluation['tuned']['file']}` against the untuned `{evaluation['base']['file']}`, with the "
        f"same prompts in the service's engine. {INTERVALS}"
    )
    yield ""
    if comparison["likelihoods"]:
        yield from likelihoods(comparison["likelihoods"])
    ideas = {
        f"ideas for {name}: {NAMES[metric]}": one
        for name, metrics in comparison["ideas"].items()
        for metric, one in metrics.items()
        if metric in IN_SHORT
    }
    yield from differences(ideas | beside_ideas(comparison))


def beside_ideas(comparison: Values) -> dict[str, Values]:
    """The metrics of refinements and of the form of answers, by name."""
    measured = {
        f"refinements: {NAMES[metric]}": one for metric, one in comparison["refinements"].items()
    } | {
        "ideas in the asked form, without a grammar": comparison["form"],
        "assessments in the asked form": comparison["assessments"],
    }
    return {name: one for name, one in measured.items() if one["n"]}


def p_value(value: float | None, digits: int = 3) -> str:
    """The p value, never shown as zero."""
    least = 10.0**-digits
    return f"< {least:.{digits}f}" if value is not None and value < least else number(value, digits)


def number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{100 * value:+.{digits}f} %"


def interval(one: Values, digits: int = 3) -> str:
    return f"{number(one['value'], digits)} [{number(one['low'], digits)}, {number(one['high'], digits)}]"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        cells = (cell.replace("|", r"\|") for cell in row)
        yield f"| {' | '.join(cells)} |"
    yield ""


def differences(values: Values) -> Iterator[str]:
    """A table of metrics of both models, with the difference and its 95 % interval."""
    yield from table(
        ("", "base", "tuned", "difference [95 %]", "p (Holm)", "n"),
        [_difference(NAMES.get(name, name), one) for name, one in values.items()],
    )


def _difference(name: str, one: Values) -> tuple[str, ...]:
    found, p = one["difference"], one["p"]
    # Files of earlier evaluations have intervals and p for any number of pairs.
    if one["n"] < LEAST_PAIRS:
        found, p = {**found, "low": None, "high": None}, None
    return (
        name,
        number(one["base"]),
        number(one["tuned"]),
        interval(found),
        p_value(p, 4),
        str(one["n"]),
    )


def likelihoods(values: Values) -> Iterator[str]:
    yield from table(
        (
            "task",
            "rows",
            "base, nats per token",
            "tuned",
            "base, bits per byte",
            "tuned",
            "change [95 %]",
        ),
        [
            (
                task,
                str(one["base"]["rows"]),
                number(one["base"]["nll_per_token"]),
                number(one["tuned"]["nll_per_token"]),
                number(one["base"]["bits_per_byte"]),
                number(one["tuned"]["bits_per_byte"]),
                f"{percent(one['change']['value'])} [{percent(one['change']['low'])}, "
                f"{percent(one['change']['high'])}]",
            )
            for task, one in values.items()
        ],
    )


def scores(agreement: Values) -> Iterator[str]:
    """How well the scores agree with labels; nothing if no scores were measured."""
    known = {side: one for side, one in agreement.items() if one is not None}
    if not known:
        return
    notes = next(iter(known.values()))["notes"]
    yield (
        f"Scores of {notes} labelled notes, read from the probabilities of digits, without a score head. "
        "If the served set has a head, users get its scores, which do not depend on this training; the "
        "card of the head says how well they agree with labels."
    )
    yield ""
    yield from table(
        ("", "criterion", "Spearman", "mean absolute error", "order kept"),
        [
            (
                side,
                name,
                number(one["spearman"][name]),
                number(one["error"][name], 2),
                number(one["stability"][name]),
            )
            for side, one in known.items()
            for name in one["spearman"]
        ],
    )


def samples(pairs: Sequence[Values]) -> Iterator[str]:
    for pair in pairs:
        yield f"**{_in_a_line(pair['request'])}**"
        yield ""
        for side in ("base", "tuned"):
            yield f"- {side}: {' — '.join(map(_in_a_line, pair[side].split(chr(10), 1)))}"
        yield ""


def _in_a_line(text: str) -> str:
    return shorten(text, LONGEST_SAMPLE, placeholder=" …")


def _lines(evaluation: Values) -> Iterator[str]:
    comparison = evaluation["comparison"]
    yield f"# Evaluation of {evaluation['name']}"
    yield ""
    for side in ("base", "tuned"):
        one = evaluation[side]
        yield f"- {side}: `{one['file']}`, SHA-256 `{one['sha256']}`"
    yield (
        "- both models with the same prompt, grammar, sampling and seeds, in the service's engine"
    )
    if comparison["ideas"]:
        yield (
            f"- {evaluation['ideas_per_prompt']} first drafts per prompt with at most "
            f"{evaluation['max_tokens_per_idea']} tokens each, seeds "
            f"{', '.join(map(str, evaluation['seeds']))}"
        )
    for reason in evaluation["not_measured"]:
        yield f"- not measured: {reason}"
    yield ""
    yield INTERVALS
    yield ""
    for name, metrics in comparison["ideas"].items():
        yield f"## Ideas: {name}"
        yield ""
        yield from differences(metrics)
    yield from _form(comparison)
    if comparison["refinements"]:
        yield "## Refinements"
        yield ""
        yield from differences(comparison["refinements"])
    if comparison["likelihoods"]:
        yield "## Held-out answers"
        yield ""
        yield from likelihoods(comparison["likelihoods"])
    yield from _scores(comparison["agreement"])
    for kind, judgement in evaluation["judgements"].items():
        yield from _judgement(kind, judgement)
    yield "## Samples, drawn at random"
    yield ""
    yield from samples(evaluation["samples"])


def _form(comparison: Values) -> Iterator[str]:
    measured = {
        "ideas without a grammar": comparison["form"],
        "assessments with one": comparison["assessments"],
    }
    measured = {name: one for name, one in measured.items() if one["n"]}
    if measured:
        yield "## Form"
        yield ""
        yield from differences(measured)


def _scores(agreement: Values) -> Iterator[str]:
    if any(agreement.values()):
        yield "## Scores read from digits, against labels"
        yield ""
        yield from scores(agreement)


def _judgement(kind: str, judgement: Values) -> Iterator[str]:
    yield f"## {kind.capitalize()} judged by {judgement['judge']}"
    yield ""
    yield (
        "Exploratory: this judge has not been compared with people."
        + (" The order of the answers influences it." if judgement["is_led_by_order"] else "")
    )
    yield ""
    yield from table(
        ("", ""),
        [
            ("pairs", str(judgement["pairs"])),
            ("wins, losses, ties of tuned", "{wins}, {losses}, {ties}".format_map(judgement)),
            ("win rate without ties [95 %]", interval(judgement["win_rate"])),
            ("p, sign test", number(judgement["p"], 4)),
            ("win rate at equal length [95 %]", interval(judgement["rate_at_equal_length"])),
            ("same verdict in both orders", number(judgement["consistency"])),
            ("the longer one wins", number(judgement["longer_wins"])),
            ("pairs with an unreadable verdict", str(judgement["unreadable"])),
        ],
    )
