"""The cards of models and score heads, in Markdown: what they are made of and what they are worth.

Takes figures as they were written down; measures nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

RULES = (
    "The score of a criterion is a linear function of the model's own embedding of "
    "'Title: …\\nIdea: …' (the mean of its last hidden states), fitted by ridge regression and cut "
    "off at 1 and 10. Large errors count by their size, differences between the halves of a contrast "
    "pair count besides, and sentences that say nothing of the idea are taught not to matter. "
    "Criteria the head does not know are read off the probabilities of digits and "
    "are marked as not calibrated."
)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a model's card tells. `limits` are plain sentences on what it cannot do; `as_served` is
    what an evaluation found, in lines of Markdown.
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
        f"{facts.base_licence}), and the models that are that base with the adapter merged in. "
        "The adapter fits this base only.",
        "",
        "## Files",
        "",
        *_table(
            ("file", "what", "MB", "SHA-256"),
            ((one["file"], one["kind"], _mb(one["size_bytes"]), f"`{one['sha256']}`")
             for one in facts.files),
        ),
    ]  # fmt: skip
    lines += ["", "## Data", "", *_data(facts.data)]
    lines += ["", "## Training", "", *_flat(facts.result or {}, "There are no figures of the run.")]
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
    """Of a result's `preferred`."""
    return (
        f"Of {preferred['pairs']:,} held-out pairs of a better and a worse draft, the better one of "
        f"{100 * preferred['right']:.0f}% became likelier beside the other. Likelihoods are those of "
        "the best drafts."
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
            f"Fitted to {agreement['notes']} labelled notes, CC0-1.0:",
            "",
            *_table(("file", "notes", "Spearman", "mean error", "SHA-256"), _sets(figures)),
            "",
            *_table(
                ("criterion", "Spearman", "mean error", "pairs right", "praise", "filler",
                 "penalty"),
                _criteria(figures),
            ),
            "",
            f"- Spearman and mean error: ten-fold over {figures['subjects']} subjects; notes on "
            "one subject, such as the halves of a contrast pair, are in one fold, and each fold's "
            "penalty is chosen without it.",
            "- Pairs: a better and a worse note on one subject, written for this test and not "
            f"trained on. {100 * share['value']:.0f}% are in the right order (95% interval "
            f"{100 * share['low']:.0f} to {100 * share['high']:.0f}%).",
            f"- Praise: how praise of itself moves the scores of {praise['notes']} "
            f"notes; the overall score by at most {praise['largest']:.2f}.",
            "- Filler: the same for two sentences that say nothing of the idea, at most "
            f"{filler['largest']:.2f}. How much too high a score is and how long the "
            f"note is correlate by {agreement['length']:+.2f}.",
            "- The order of the criteria in a rubric cannot matter: each is computed by itself.",
            "",
            "The labels are one large language model's; scores are for keeping or dropping ideas, "
            "not for judging people.",
            "",
        ]
    )  # fmt: skip


def _criteria(figures: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row for each, and one for all of them."""
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
    """A row for each file of labelled notes."""
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
        f"what else is built of the same base, type and adapter (identity `{figures['identity']}`)"
    )


def _data(data: Mapping[str, Any] | None) -> list[str]:
    if data is None:
        return ["There is no data report of the run."]
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
    titles = ("task", "test rows", "NLL, base", "tuned", "bits a byte, base", "tuned")
    return _table(titles, rows)


def parity_lines(parity: Mapping[str, Any]) -> list[str]:
    """Of what `parity.json` says."""
    rows = [
        (one["file"], f"{one['nll_per_token']:.4f}", f"{100 * one['change']:+.2f}%")
        for one in parity["files"]
    ]
    return [
        f"Of {parity['rows']} held-out rows, the merged model in transformers has an NLL of "
        f"{parity['nll_per_token']:.4f} per token of the answer.",
        "",
        *_table(("file", "NLL per token", "change"), rows),
        "",
        f"Of {parity['greedy_tokens']:,} tokens that the f16 file writes greedily, "
        f"{100 * parity['greedy_agreement']:.1f}% are the likeliest in transformers, too.",
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
