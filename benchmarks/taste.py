"""How much a board learns from decisions: `python -m benchmarks.taste`.

Sixteen simulated people, two with opposite tastes for each of eight boards, decided on suggestions for
six topics of their board (training/datasets/graded/taste.jsonl; their tastes are in taste-people.json).
A trial learns from some of the decisions, topic by topic in random order, and orders the suggestions
for the other topics. It counts pairs of a kept and a discarded suggestion of one topic.
"""

import argparse
import json
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from service.analysis.taste import Decision, Subject, TasteLearner
from service.analysis.word_vectors import WordVectors
from service.settings import PROJECT_ROOT

FILE = PROJECT_ROOT / "training" / "datasets" / "graded" / "taste.jsonl"
DECISIONS = (10, 20, 30, 40)
# A brainstorm shows about so many suggestions.
SHOWN = 8
REPEATS = 10
BOOTSTRAPS = 2000


@dataclass(frozen=True, slots=True)
class Share:
    """Of pairs put the right way round: by what was learnt, in the usual order, and as a board does it."""

    learnt: float
    usual: float
    board: float


def read_people(path: Path = FILE) -> dict[str, list[Decision]]:
    people: dict[str, list[Decision]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        subject = Subject(f"{one['title']}. {one['text']}", one["origin"], one["likeness"])
        for number, is_kept in enumerate(one["kept"], start=1):
            decision = Decision(subject, is_kept, 1, one["topic"])
            people.setdefault(f"{one['board']} {number}", []).append(decision)
    return people


def share(
    vectors: WordVectors, decisions: Sequence[Decision], count: int, repeats: int = REPEATS
) -> Share:
    draw = random.Random(1)
    pairs, learnt, usual, board = 0.0, 0.0, 0.0, 0.0
    for _ in range(repeats):
        seen, new = _split(decisions, count, draw)
        learner = TasteLearner(vectors, seen)
        subjects = [one.subject for one in new]
        by_taste = learner.fit().probabilities(subjects)
        by_prior = [one.prior for one in subjects]
        all_pairs, right, right_usually = (
            _pairs(new),
            _right(new, by_taste),
            _right(new, by_prior),
        )
        pairs += all_pairs
        learnt += right
        usual += right_usually
        board += right if learner.accuracy().pays else right_usually
    return Share(learnt / pairs, usual / pairs, board / pairs)


def _split(
    decisions: Sequence[Decision], count: int, draw: random.Random
) -> tuple[list[Decision], list[Decision]]:
    """Decisions of some topics to learn from, and all of the other topics, at least one."""
    topics = list(dict.fromkeys(one.group for one in decisions))
    draw.shuffle(topics)
    seen: list[Decision] = []
    while len(seen) < count and len(topics) > 1:
        topic = topics.pop()
        of_topic = [one for one in decisions if one.group == topic]
        seen += draw.sample(of_topic, min(SHOWN, len(of_topic)))
    return seen[:count], [one for one in decisions if one.group in topics]


def _pairs(decisions: Sequence[Decision]) -> float:
    return sum(1 for _ in _each_pair(decisions))


def _right(decisions: Sequence[Decision], values: Sequence[float]) -> float:
    return sum(
        (values[kept] > values[other]) + (values[kept] == values[other]) / 2
        for kept, other in _each_pair(decisions)
    )


def _each_pair(decisions: Sequence[Decision]) -> list[tuple[int, int]]:
    return [
        (kept, other)
        for kept, one in enumerate(decisions)
        for other, another in enumerate(decisions)
        if one.is_wanted and not another.is_wanted and one.group == another.group
    ]


def table(results: Mapping[int, Mapping[str, Share]]) -> str:
    """The interval of the gain, of 95%, is from a bootstrap over people."""
    lines = ["| decisions | usual order | learnt | as used | gain as used | better for |"]
    lines.append("|---" * 6 + "|")
    for count, people in results.items():
        shares = list(people.values())
        gains = np.array([one.board - one.usual for one in shares])
        draws = np.random.default_rng(0).choice(gains, (BOOTSTRAPS, len(gains))).mean(axis=1)
        low, high = np.quantile(draws, (0.025, 0.975))
        means = " | ".join(
            f"{statistics.mean(getattr(one, name) for one in shares):.1%}"
            for name in ("usual", "learnt", "board")
        )
        gain = f"{100 * gains.mean():+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"
        lines.append(f"| {count} | {means} | {gain} | {(gains > 0).sum()} of {len(gains)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--decisions", type=int, nargs="+", default=DECISIONS)
    options = parser.parse_args()
    vectors, people = WordVectors(), read_people()
    print(
        table(
            {
                count: {name: share(vectors, one, count) for name, one in people.items()}
                for count in options.decisions
            }
        )
    )


if __name__ == "__main__":
    main()
