"""What readers find in ideas: `python -m benchmarks.ideas draft | page | count`.

`draft` asks a running server for each topic of a file and writes down its suggestions with the
seconds they took; two servers, or two versions of one, make two pipelines. `page` mixes the files of
any pipelines into a page that does not say where an idea comes from, and a key that does. Readers
write a line for each idea, its number and its grade from 0 to 4; `count` makes the table of it.
"""

import argparse
import json
import random
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np

SCALE = """0 senseless, off the topic, or broken
1 on the topic, but empty, circular or wrong
2 passable: sensible but generic, or a seed that needs much work
3 useful: specific, makes sense, the person would keep it, perhaps with an edit
4 excellent as it stands
Half steps are allowed."""
BOUNDS = {"useful": 3.0, "good seed": 2.5, "passable": 2.0}
BOOTSTRAPS = 2000
TIMEOUT_S = 600
KEY = "key.jsonl"


@dataclass(frozen=True, slots=True)
class Topic:
    text: str
    situation: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """An idea as readers see it, and the pipeline that it comes from."""

    pipeline: str
    topic: str
    situation: str
    title: str
    text: str


def read_topics(path: Path, most: int | None) -> list[Topic]:
    """A topic in each line; after a tab, the situation of the person who asks."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [Topic(*(part.strip() for part in line.split("\t")[:2])) for line in lines[:most]]


def draft(url: str, topics: Sequence[Topic], options: Mapping[str, Any]) -> Iterator[str]:
    """A line of JSON for each topic."""
    with httpx.Client(base_url=url, timeout=TIMEOUT_S) as http:
        for topic in topics:
            asked: dict[str, Any] = {"topic": topic.text, "context": topic.situation, **options}
            began = time.perf_counter()
            ideas = []
            usage: dict[str, int] = {}
            for event, data in _events(http, asked):
                if event == "suggestion":
                    data["seconds"] = round(time.perf_counter() - began, 2)
                    ideas.append(data)
                elif event == "error":
                    print(f"{topic.text}: {data['detail']}")
                usage = data.get("usage") or usage
            yield json.dumps(
                {"topic": topic.text, "situation": topic.situation, "usage": usage, "ideas": ideas},
                ensure_ascii=False,
            )


def _events(http: httpx.Client, asked: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    headers = {"accept": "text/event-stream"}
    with http.stream("POST", "/api/v1/brainstorm", json=asked, headers=headers) as stream:
        if not stream.is_success:
            raise SystemExit(stream.read().decode())
        name = ""
        for line in stream.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))


def entries(path: Path, shown: int | None) -> Iterator[Entry]:
    for record in _records(path):
        for idea in record["ideas"][:shown]:
            yield Entry(
                path.stem, record["topic"], record["situation"], idea["title"], idea["text"]
            )


def page(found: Sequence[Entry]) -> str:
    blocks = [SCALE]
    for number, one in enumerate(found, start=1):
        situation = f" ({one.situation})" if one.situation else ""
        blocks.append(f"[{number}] TOPIC: {one.topic}{situation}\n{one.title}: {one.text}")
    return "\n\n".join(blocks) + "\n"


def read_grades(path: Path) -> dict[int, float]:
    pairs = (line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    grades = {int(number): float(grade) for number, grade in pairs}
    wrong = [number for number, grade in grades.items() if not 0 <= grade <= 4]
    if wrong:
        raise SystemExit(f"{path}: the grade of {wrong[0]} is not between 0 and 4.")
    return grades


def table(key: Sequence[Entry], readers: Sequence[Mapping[int, float]]) -> str:
    """An idea counts by the mean of its grades. Intervals are from a bootstrap over topics."""
    grades = [
        statistics.mean(reader[number] for reader in readers) for number in range(1, len(key) + 1)
    ]
    lines = ["| pipeline | ideas | mean | useful | good seed | passable | 1 and less |"]
    lines.append("|---" * 7 + "|")
    for name in sorted({one.pipeline for one in key}):
        topics: dict[str, list[float]] = {}
        for one, grade in zip(key, grades, strict=True):
            if one.pipeline == name:
                topics.setdefault(one.topic, []).append(grade)
        lines.append(f"| {name} | {_row(list(topics.values()))} |")
    if len(readers) == 2:
        first, second = ([one[number] for number in range(1, len(key) + 1)] for one in readers)
        agreement = statistics.correlation(first, second)
        lines.append(f"\nThe two readers agree with a correlation of {agreement:.2f}.")
    return "\n".join(lines)


def _row(topics: Sequence[Sequence[float]]) -> str:
    grades = np.concatenate([np.asarray(one) for one in topics])
    cells = [str(len(grades)), f"{grades.mean():.2f}"]
    draw = np.random.default_rng(0)
    samples = draw.integers(len(topics), size=(BOOTSTRAPS, len(topics)))
    sizes = np.array([len(one) for one in topics])
    for bound in BOUNDS.values():
        hits = np.array([sum(grade >= bound for grade in one) for one in topics])
        shares = hits[samples].sum(1) / sizes[samples].sum(1)
        low, high = (float(np.quantile(shares, edge)) for edge in (0.025, 0.975))
        cells.append(f"{(grades >= bound).mean():.0%} ({low:.0%} to {high:.0%})")
    return " | ".join([*cells, f"{(grades <= 1).mean():.0%}"])


def times(path: Path) -> str:
    """Medians over the topics: of the first idea, the first and the eighth that the model wrote."""
    records = _records(path)
    seconds = {"first": [one["ideas"][0]["seconds"] for one in records if one["ideas"]]}
    for place, name in ((1, "model's first"), (8, "model's eighth")):
        written = [
            [idea["seconds"] for idea in one["ideas"] if idea.get("origin", "model") == "model"]
            for one in records
        ]
        seconds[name] = [one[place - 1] for one in written if len(one) >= place]
    medians = [f"{name} {statistics.median(of):.1f} s" for name, of in seconds.items() if of]
    return f"{path.stem}: " + ", ".join(medians)


def _records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _option(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    return name, json.loads(value)


def write_drafts(options: argparse.Namespace) -> None:
    topics = read_topics(options.topics, options.most)
    with options.file.open("w", encoding="utf-8") as file:
        for number, line in enumerate(draft(options.url, topics, dict(options.set)), start=1):
            file.write(line + "\n")
            file.flush()
            print(f"{number} of {len(topics)} topics", flush=True)
    print(times(options.file))


def write_page(options: argparse.Namespace) -> None:
    found = [one for path in options.files for one in entries(path, options.shown)]
    random.Random(1).shuffle(found)
    options.folder.mkdir(parents=True, exist_ok=True)
    (options.folder / "page.txt").write_text(page(found), encoding="utf-8")
    key = "".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in found)
    (options.folder / KEY).write_text(key, encoding="utf-8")
    print(f"{len(found)} ideas in {options.folder / 'page.txt'}")


def print_table(options: argparse.Namespace) -> None:
    key = [Entry(**one) for one in _records(options.folder / KEY)]
    print(table(key, [read_grades(path) for path in options.grades]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    drafts = commands.add_parser("draft")
    drafts.add_argument("topics", type=Path)
    drafts.add_argument("file", type=Path, help="named for the pipeline: list.jsonl")
    drafts.add_argument("--url", default="http://127.0.0.1:8000")
    drafts.add_argument("--most", type=int, help="of the topics")
    drafts.add_argument("--set", type=_option, action="append", default=[], help="n=8 or seed=1")
    drafts.set_defaults(command=write_drafts)
    pages = commands.add_parser("page")
    pages.add_argument("folder", type=Path)
    pages.add_argument("files", type=Path, nargs="+")
    pages.add_argument("--shown", type=int, help="only the first of each topic")
    pages.set_defaults(command=write_page)
    counts = commands.add_parser("count")
    counts.add_argument("folder", type=Path)
    counts.add_argument("grades", type=Path, nargs="+", help="a file of each reader")
    counts.set_defaults(command=print_table)
    options = parser.parse_args()
    options.command(options)


if __name__ == "__main__":
    main()
