"""Writes the cards of models and score heads in Markdown: their data, training and figures.

It formats recorded figures and measures nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

RULES = (
    "The score of a criterion is a linear function of the model's own embedding of "
    "'Title: …\\nIdea: …' (the mean of its last hidden states), fitted by ridge regression and cut "
    "off at 1 and 10. Large errors count linearly rather than by their square, the differences within "
    "contrast pairs count too, and added sentences that say nothing about the idea are trained not to "
    "change a score. Criteria without labels are scored from the probabilities of digits and are "
    "marked as not calibrated."
)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The contents of a model's card.

    `limits` has sentences on what the model cannot do. `as_served` has the figures of an evaluation, in
    lines of Markdown.
    """

    name: str
    base: str
    base_sha256: str
    base_licence: str
    files: Sequence[Mapping[str, Any]]
    parity: Mapping[str, Any]
    config: str
    data: Mapping[str, Any] | None = None
    result: Mapping[str, Any] | None = None
    as_served: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    limits: Sequence[str] = ()


def model_card(facts: ModelFacts) -> str:
    lines = [
        f"# {facts.name}",
        "",
        f"A LoRA adapter for `{facts.base}` (SHA-256 `{facts.base_sha256}`, "
        f"{facts.base_licence}), and the base with the adapter merged in. "
        "The adapter works only with this base.",
        "",
        "## Files",
        "",
        *_table(
            ("file", "kind", "MB", "SHA-256"),
            ((one["file"], one["kind"], _mb(one["size_bytes"]), f"`{one['sha256']}`")
             for one in facts.files),
        ),
    ]  # fmt: skip
    lines += ["", "## Data", "", *_data(facts.data)]
    lines += ["", "## Training", "", *_flat(facts.result or {}, "The run has no recorded figures.")]
    if tasks := (facts.result or {}).get("tasks"):
        lines += ["", *_tasks(tasks)]
    if (preferred := (facts.result or {}).get("preferred")) is not None:
        lines += ["", in_words(preferred)]
    lines += ["", "## As exported", "", *parity_lines(facts.parity)]
    if facts.as_served:
        lines += ["", "## As served", "", "\n".join(facts.as_served).strip()]
    if facts.limits:
        lines += ["", "## Limits", "", *(f"- {limit}" for limit in facts.limits)]
    if facts.versions:
        named = ", ".join(f"{name} {version}" for name, version in facts.versions.items())
        lines += ["", f"Made with {named}."]
    lines += ["", "## Config", "", "```toml", facts.config.rstrip(), "```"]
    return "\n".join(lines) + "\n"


def in_words(preferred: Mapping[str, Any]) -> str:
    """The `preferred` of a result, in a sentence."""
    return (
        f"In {100 * preferred['right']:.0f}% of {preferred['pairs']:,} held-out pairs of a better and a "
        "worse draft, the better one gained more likelihood. The likelihoods above are those of the best "
        "drafts."
    )


def head_card(name: str, figures: Mapping[str, Any]) -> str:
    agreement, pairs = figures["agreement"], figures["pairs"]
    praise, filler = figures["praise"], figures["filler"]
    share = pairs["share"]
    return "\n".join(
        [
            f"# {name}",
            "",
            f"A score head for `{figures['model']}`, SHA-256 `{figures['weights_sha256']}`, and for "
            f"{_others(figures)}.",
            "",
            RULES,
            "",
            f"It was fitted to {agreement['notes']} labelled notes (CC0-1.0):",
            "",
            *_table(("file", "notes", "Spearman", "mean error", "SHA-256"), _sets(figures)),
            "",
            *_table(
                ("criterion", "Spearman", "mean error", "pairs right", "praise", "filler",
                 "penalty"),
                _criteria(figures),
            ),
            "",
            "- Spearman and mean error are from ten-fold cross-validation over "
            f"{figures['subjects']} subjects. Notes on one subject, such as the two notes of a contrast "
            "pair, are in one fold, and the penalty of each fold is chosen without it.",
            "- Pairs: a better and a worse note on one subject, written for this test and not "
            f"trained on. {100 * share['value']:.0f}% are in the right order (95% interval "
            f"{100 * share['low']:.0f} to {100 * share['high']:.0f}%).",
            f"- Praise: the change of the scores of {praise['notes']} notes after praise of themselves "
            f"is added. The overall score changes by at most {praise['largest']:.2f}.",
            "- Filler: the same for two sentences that say nothing about the idea; the overall score "
            f"changes by at most {filler['largest']:.2f}. The error of a score and the length of the "
            f"note have a rank correlation of {agreement['length']:+.2f}.",
            "- The order of the criteria in a rubric does not matter: each is scored separately.",
            "",
            "The labels are from one large language model. Scores are meant for keeping or dropping "
            "ideas, not for judging people.",
            "",
        ]
    )  # fmt: skip


def _criteria(figures: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """One row for each criterion, and one for all."""
    agreement, pairs = figures["agreement"], figures["pairs"]
    praise, filler = figures["praise"], figures["filler"]
    rows: list[tuple[str, ...]] = [
        (
            criterion,
            f"{agreement['spearman'][criterion]:.2f}",
            f"{agreement['error'][criterion]:.2f}",
            "{} of {}".format(*pairs["by_criterion"][criterion]),
            f"{praise['mean'][criterion]:+.2f}",
            f"{filler['mean'][criterion]:+.2f}",
            f"{figures['penalties'][criterion]:g}",
        )
        for criterion in agreement["spearman"]
    ]
    rows.append(
        (
            "all",
            f"{fmean(agreement['spearman'].values()):.2f}",
            f"{fmean(agreement['error'].values()):.2f}",
            f"{pairs['right']} of {pairs['pairs']}",
            f"{praise['overall']:+.2f}",
            f"{filler['overall']:+.2f}",
            "",
        )
    )
    return rows


def _sets(figures: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    """One row for each file of labelled notes."""
    for name, found in figures["agreement_by_set"].items():
        yield (
            name,
            found["notes"],
            f"{fmean(found['spearman'].values()):.2f}",
            f"{fmean(found['error'].values()):.2f}",
            f"`{figures['records'][name]}`",
        )


def _others(figures: Mapping[str, Any]) -> str:
    if figures["identity"] == figures["weights_sha256"]:
        return "no other file"
    return (
        "every other file made from the same base, type and adapter "
        f"(identity `{figures['identity']}`)"
    )


def _data(data: Mapping[str, Any] | None) -> list[str]:
    if data is None:
        return ["The run has no data report."]
    splits = data["splits"]
    lines = [", ".join(f"{one['rows']:,} {name} rows" for name, one in splits.items()) + ".", ""]
    for title, key in (("task", "tasks"), ("source", "sources"), ("licence", "licences")):
        values = dict.fromkeys(value for one in splits.values() for value in one[key])
        rows = ((value, *(one[key].get(value, 0) for one in splits.values())) for value in values)
        lines += [*_table((title, *splits), rows), ""]
    return lines[:-1]


def _tasks(tasks: Mapping[str, Mapping[str, float]]) -> list[str]:
    names = ("base_nll", "nll", "base_bits_per_byte", "bits_per_byte")
    rows = (
        (task, int(one["rows"]), *(f"{one[name]:.4g}" for name in names))
        for task, one in tasks.items()
    )
    titles = ("task", "test rows", "NLL, base", "tuned", "bits per byte, base", "tuned")
    return _table(titles, rows)


def parity_lines(parity: Mapping[str, Any]) -> list[str]:
    """The contents of `parity.json` in Markdown."""
    rows = [
        (one["file"], f"{one['nll_per_token']:.4f}", f"{100 * one['change']:+.2f}%")
        for one in parity["files"]
    ]
    return [
        f"On {parity['rows']} held-out rows, the merged model in transformers has an NLL of "
        f"{parity['nll_per_token']:.4f} per token of the answer.",
        "",
        *_table(("file", "NLL per token", "change"), rows),
        "",
        f"Of {parity['greedy_tokens']:,} tokens that the f16 file generates greedily, "
        f"{100 * parity['greedy_agreement']:.1f}% are also the likeliest in transformers.",
    ]


def _flat(values: Mapping[str, Any], missing: str) -> list[str]:
    rows = [
        (key, f"{value:.4g}" if isinstance(value, float) else value)
        for key, value in values.items()
        if isinstance(value, str | int | float)
    ]
    return _table(("figure", "value"), rows) if rows else [missing]


def _table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = [titles, ["---"] * len(titles), *rows]
    return ["| " + " | ".join(map(str, line)) + " |" for line in lines]


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f}"
