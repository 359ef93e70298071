"""What packing and training at once save: `python -m tests.bench.bench_training`.

Trains one epoch on the same rows in one process and in turns: padded as in the seed's configs;
packed, one rate after the other; packed, all rates at once. Seconds are those of the steps alone,
tokens those of the rows: padding never counts, and what rows share counts for each of them.

The rows are ours, half ideas and half refinements, whose lengths hardly vary, or with `--dolly FILE`
those of Databricks' Dolly 15k, whose lengths vary as those of general instructions do.
"""

import argparse
import gc
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from service.settings import PROJECT_ROOT
from training.config import (
    BaseConfig,
    DataConfig,
    RunConfig,
    SourceConfig,
    read_config,
    with_values,
)
from training.learning.metrics import read_metrics
from training.learning.tokens import Tokens
from training.learning.train import Ready, get_ready, learn, open_base
from training.learning.trainer import Job, Splits
from training.runs.run_directory import RunDirectory

SEED_CONFIG = PROJECT_ROOT / "training" / "configs" / "seed-learning-rates.toml"
PLAIN = PROJECT_ROOT / "training" / "datasets" / "plain"
PLAIN_TASKS = ("brainstorm", "refine")
RATES = (1e-4, 2e-4, 3e-4, 5e-4)
MAX_TOKENS = 1024
DOLLY_ROWS = 2_000
"""More than enough to choose from; near duplicates are looked for among all of them."""


@dataclass(frozen=True, slots=True)
class Timed:
    """`losses` has those of each adapter, step by step."""

    seconds: float
    tokens: int
    losses: tuple[tuple[float, ...], ...]

    def __str__(self) -> str:
        return f"{self.seconds:7.1f} s {self.tokens / self.seconds:7.0f} tokens/s"


@dataclass(frozen=True, slots=True)
class Round:
    """`alone` has one for each rate; each of them is also an epoch to set against `padded`."""

    padded: Timed
    alone: tuple[Timed, ...]
    at_once: Timed

    @property
    def one_by_one_s(self) -> float:
        return sum(one.seconds for one in self.alone)

    @property
    def difference(self) -> float:
        """The largest between a loss alone and at once, in nats."""
        pairs = zip((one.losses[0] for one in self.alone), self.at_once.losses, strict=True)
        return max(abs(a - b) for one, other in pairs for a, b in zip(one, other, strict=True))


@dataclass(frozen=True, slots=True)
class Bench:
    config: RunConfig
    ready: Ready
    splits: Splits
    folder: Path

    def round(self, number: int) -> Round:
        """Every other one backwards, so that a machine that warms up or slows down favours none."""
        runs = [("padded", RATES[:1]), *(("packed", (rate,)) for rate in RATES), ("at once", RATES)]
        backwards = -1 if number % 2 else 1
        timed = []
        for place, (kind, rates) in list(enumerate(runs))[::backwards]:
            found = self.train(f"{number}-{place}", rates, packing=kind != "padded")
            print(f"round {number + 1}: {kind:11}{found}", flush=True)
            timed.append(found)
        padded, *alone, at_once = timed[::backwards]
        return Round(padded, tuple(alone), at_once)

    def train(
        self, name: str, rates: Sequence[float], *, packing: bool, max_steps: int | None = None
    ) -> Timed:
        """On a base of its own, as a run by itself leaves its adapter in it."""
        gc.collect()
        base = open_base(self.config, _say_nothing)
        jobs = []
        for number, rate in enumerate(rates):
            values = {"training.learning_rate": rate, "training.packing": packing}
            changed = with_values(self.config, values | {"training.max_steps": max_steps})
            config = changed.model_copy(update={"name": f"{name}-{number}"})
            rundir = RunDirectory(self.folder / config.name)
            jobs.append(Job(config, base, self.splits, rundir, _say_nothing))
        results = learn(jobs, self.ready)
        losses = tuple(
            tuple(one.loss for one in read_metrics(job.rundir) if one.loss is not None)
            for job in jobs
        )
        # At once, the seconds of each are those of all.
        tokens = len(rates) * sum(len(row) for row in self.splits.train)
        return Timed(results[0].seconds, tokens, losses)


def sources(dolly: Path | None) -> tuple[SourceConfig, ...]:
    if dolly:
        return (SourceConfig(kind="dolly", path=dolly.resolve(), first=DOLLY_ROWS),)
    return tuple(SourceConfig(kind="ideation", path=PLAIN, tasks=(task,)) for task in PLAIN_TASKS)


def recipe(model: str, batch_size: int, read: tuple[SourceConfig, ...]) -> RunConfig:
    """The seed's, without rows to measure with."""
    data = DataConfig(
        sources=read,
        test_share=0,
        validation_share=0,
        max_tokens=MAX_TOKENS,
    )
    seed = read_config(SEED_CONFIG)
    data = data.model_copy(update={"duplicates": seed.data.duplicates})
    config = seed.model_copy(update={"base": BaseConfig(model=model), "data": data, "sweep": None})
    # So short a run would be over before it has learnt anything.
    return with_values(config, {"training.warmup_steps": 0, "training.batch_size": batch_size})


def spread(rows: Sequence[Tokens], count: int) -> tuple[Tokens, ...]:
    """As many of each task, from all over the set: neighbours are about one topic."""
    chosen: list[Tokens] = []
    tasks = sorted({row.task for row in rows})
    for task in tasks:
        own = [row for row in rows if row.task == task]
        wanted = count // len(tasks)
        chosen += [own[place * len(own) // wanted] for place in range(wanted)]
    return tuple(chosen)


def compare(rounds: Sequence[Round]) -> None:
    alone = [one for each in rounds for one in each.alone]
    epoch, all_rates = alone[0].tokens, rounds[0].at_once.tokens
    padded = _median("padded", epoch, [each.padded.seconds for each in rounds])
    packed = _median("packed", epoch, [one.seconds for one in alone])
    one_by_one = _median("one by one", all_rates, [each.one_by_one_s for each in rounds])
    at_once = _median("at once", all_rates, [each.at_once.seconds for each in rounds])
    print(f"\npacking is {padded / packed:.2f} times as fast as padding")
    print(f"{len(RATES)} rates at once are {one_by_one / at_once:.2f} times as fast as one by one;")
    print(f"a loss differs by {max(each.difference for each in rounds):.1e} nats at most")


def _median(name: str, tokens: int, seconds: Sequence[float]) -> float:
    middle = statistics.median(seconds)
    print(f"median:  {name:11}{Timed(middle, tokens, ())}")
    return middle


def _say_nothing(_: str) -> None:
    """Every run has a line of its own when it is done."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2-135m", help="a model of the catalog")
    parser.add_argument("--rows", type=int, default=16)
    # The seed's eight would need 22 GB for four rates at once.
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--dolly", type=Path, metavar="FILE", help="databricks-dolly-15k.jsonl")
    options = parser.parse_args()
    config = recipe(options.model, options.batch_size, sources(options.dolly))
    with tempfile.TemporaryDirectory() as folder:
        rundir = RunDirectory(Path(folder) / "data")
        rundir.create()
        ready = get_ready(config, rundir, open_base(config, print), report=print)
        rows = spread(ready.splits.train, options.rows)
        bench = Bench(config, ready, Splits(rows, (), ()), Path(folder))
        lengths = [len(row) for row in rows]
        print(
            f"{len(rows)} rows of {min(lengths)} to {max(lengths)} tokens, "
            f"{config.training.batch_size} a step; {torch.get_num_threads()} threads",
            flush=True,
        )
        # The first step of a process takes several times as long as the others.
        bench.train("warm-up", RATES[:1], packing=True, max_steps=1)
        compare([bench.round(number) for number in range(options.repeats)])


if __name__ == "__main__":
    main()
