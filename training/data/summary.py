"""The data report: the rows of each split, the dropped rows with reasons, and samples."""

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from service.text.cleaning import count_words, one_line
from training.data.rows import Dropped, Row, name_of
from training.data.sources import SourceRows, place_of

EXAMPLES = 3
EXCERPT = 160


def summarise(
    splits: Mapping[str, Sequence[Row]],
    dropped: Sequence[Dropped],
    samples: Sequence[str],
    *,
    taken: Sequence[SourceRows],
    evaluation_sets: Sequence[Path],
) -> dict[str, Any]:
    reasons: dict[str, list[Dropped]] = {}
    for one in dropped:
        reasons.setdefault(one.reason, []).append(one)
    return {
        "rows_read": sum(len(one.rows) for one in taken),
        "taken": [_taken(one) for one in taken],
        "splits": {name: _described(rows) for name, rows in splits.items()},
        "dropped": {
            why: {"rows": len(found), "examples": [_example(one) for one in found[:EXAMPLES]]}
            for why, found in reasons.items()
        },
        "evaluation_sets": [name_of(path) for path in evaluation_sets],
        "samples": list(samples),
    }


def as_markdown(name: str, summary: Mapping[str, Any]) -> str:
    splits = summary["splits"]
    lines = [f"# Data of {name}", "", f"{summary['rows_read']:,} rows were read."]
    lines += ["", *(f"- {one['source']}: {_source_in_words(one)}." for one in summary["taken"])]
    for title, key in (("Task", "tasks"), ("Source", "sources"), ("Licence", "licences")):
        values = dict.fromkeys(value for split in splits.values() for value in split[key])
        rows = [[value, *(_count(split[key].get(value)) for split in splits.values())]
                for value in values]  # fmt: skip
        if key == "tasks":
            rows.append(["all", *(_count(split["rows"]) for split in splits.values())])
        lines += ["", *_table([title, *splits], rows)]
    lengths = [
        [f"{name}, {what}", *map(str, split["words"][what].values())]
        for name, split in splits.items()
        for what in split["words"]
    ]
    lines += ["", *_table(["Words", "median", "95%", "longest"], lengths), "", "## Dropped", ""]
    sets = ", ".join(f"`{name}`" for name in summary["evaluation_sets"])
    lines += [
        f"Rows with a prompt of an evaluation set are left out. The sets: {sets}.",
        "",
    ]
    if not summary["dropped"]:
        lines.append("Nothing.")
    for why, found in summary["dropped"].items():
        lines.append(f"- {found['rows']:,} rows: {why}.")
        lines += [
            f"    - `{one['id']}`{_in_brackets(one['detail'])}: {one['answer']}"
            for one in found["examples"]
        ]
    if summary["samples"]:
        lines += ["", "## As the model reads it", "", "Only the text in brackets ⟦ ⟧ is learnt."]
        for sample in summary["samples"]:
            fence = "`" * 4
            lines += ["", f"{fence}text", sample, fence]
    return "\n".join(lines) + "\n"


def _taken(taken: SourceRows) -> dict[str, Any]:
    return {
        "source": name_of(Path(place_of(taken.source))),
        "rows": len(taken.rows),
        "skipped": dict(taken.skipped),
        "is_cut": taken.is_cut,
    }


def _source_in_words(taken: Mapping[str, Any]) -> str:
    parts = [f"{taken['rows']:,} rows"]
    parts += [f"{count:,} skipped, {why}" for why, count in taken["skipped"].items()]
    if taken["is_cut"]:
        parts.append("reading stopped at `first`")
    return "; ".join(parts)


def _described(rows: Sequence[Row]) -> dict[str, Any]:
    prompts = [sum(count_words(message.content) for message in row.prompt) for row in rows]
    return {
        "rows": len(rows),
        "groups": len({row.group for row in rows}),
        "tasks": _counts(rows, lambda row: row.task),
        "sources": _counts(rows, lambda row: row.source),
        "licences": _counts(rows, lambda row: row.licence),
        "words": {
            "prompt": _lengths(prompts),
            "answer": _lengths([count_words(row.answer) for row in rows]),
        },
    }


def _counts(rows: Sequence[Row], key: Callable[[Row], str]) -> dict[str, int]:
    return dict(Counter(map(key, rows)).most_common())


def _lengths(values: Sequence[int]) -> dict[str, int]:
    ordered = sorted(values) or [0]
    return {
        "median": round(statistics.median(ordered)),
        "95%": ordered[int(0.95 * (len(ordered) - 1))],
        "longest": ordered[-1],
    }


def _example(dropped: Dropped) -> dict[str, str]:
    answer = one_line(dropped.row.answer)
    excerpt = answer if len(answer) <= EXCERPT else answer[:EXCERPT] + "…"
    return {"id": dropped.row.id, "detail": dropped.detail, "answer": excerpt}


def _in_brackets(detail: str) -> str:
    return f" ({detail})" if detail else ""


def _count(value: int | None) -> str:
    return f"{value or 0:,}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] + ["--:"] * (len(header) - 1), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
