"""Measures how much faster packing is than padding: `python -m benchmarks.bench_training`.

Trains one epoch on the same rows in one process, in turns padded (as in the seed's configs) and
packed. Seconds are those of the training steps alone. Tokens are those of the rows: padding never
counts, and a beginning that several rows share counts for each of them.

The rows are our own, half ideas and half refinements, whose lengths hardly vary. With `--dolly FILE`
they are those of Databricks' Dolly 15k, whose lengths vary as in general instructions.
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
from training.learning.train import TrainingInputs, learn, load_inputs, open_base
from training.learning.trainer import Job, Splits
from training.runs.run_directory import RunDirectory

SEED_CONFIG = PROJECT_ROOT / "training" / "configs" / "seed-learning-rates.toml"
PLAIN = PROJECT_ROOT / "training" / "datasets" / "plain"
PLAIN_TASKS = ("brainstorm", "refine")
MAX_TOKENS = 1024
DOLLY_ROWS = 2_000
"""More than enough to choose from. Every one of them is compared with the others for duplicates."""


@dataclass(frozen=True, slots=True)
class Timed:
    """`losses` has one loss for each step, in nats."""

    seconds: float
    tokens: int
    losses: tuple[float, ...]

    def __str__(self) -> str:
        return f"{self.seconds:7.1f} s {self.tokens / self.seconds:7.0f} tokens/s"


@dataclass(frozen=True, slots=True)
class Round:
    """The same epoch padded and packed."""

    padded: Timed
    packed: Timed

    @property
    def difference(self) -> float:
        """The largest difference between the losses of a step, in nats."""
        pairs = zip(self.padded.losses, self.packed.losses, strict=True)
        return max(abs(padded - packed) for padded, packed in pairs)


@dataclass(frozen=True, slots=True)
class Bench:
    config: RunConfig
    ready: TrainingInputs
    splits: Splits
    folder: Path

    def round(self, number: int) -> Round:
        """The order changes with every round, so that a machine that warms up favours neither."""
        timed = {}
        for kind in ("packed", "padded") if number % 2 else ("padded", "packed"):
            timed[kind] = self.train(f"{number}-{kind}", packing=kind == "packed")
            print(f"round {number + 1}: {kind:11}{timed[kind]}", flush=True)
        return Round(timed["padded"], timed["packed"])

    def train(self, name: str, *, packing: bool, max_steps: int | None = None) -> Timed:
        """Loads the base again each time, because a run leaves its adapter in it."""
        gc.collect()
        base = open_base(self.config, _say_nothing)
        values = {"training.packing": packing, "training.max_steps": max_steps}
        config = with_values(self.config, values).model_copy(update={"name": name})
        rundir = RunDirectory(self.folder / config.name)
        result = learn(Job(config, base, self.splits, rundir, _say_nothing), self.ready)
        losses = tuple(one.loss for one in read_metrics(rundir) if one.loss is not None)
        return Timed(result.seconds, sum(len(row) for row in self.splits.train), losses)


def sources(dolly: Path | None) -> tuple[SourceConfig, ...]:
    if dolly:
        return (SourceConfig(kind="dolly", path=dolly.resolve(), first=DOLLY_ROWS),)
    return tuple(SourceConfig(kind="ideation", path=PLAIN, tasks=(task,)) for task in PLAIN_TASKS)


def recipe(model: str, batch_size: int, read: tuple[SourceConfig, ...]) -> RunConfig:
    """The seed's recipe, without validation and test rows."""
    data = DataConfig(
        sources=read,
        test_share=0,
        validation_share=0,
        max_tokens=MAX_TOKENS,
    )
    seed = read_config(SEED_CONFIG)
    data = data.model_copy(update={"duplicates": seed.data.duplicates})
    config = seed.model_copy(update={"base": BaseConfig(model=model), "data": data, "sweep": None})
    # The seed's warm-up is longer than this whole run.
    return with_values(config, {"training.warmup_steps": 0, "training.batch_size": batch_size})


def spread(rows: Sequence[Tokens], count: int) -> tuple[Tokens, ...]:
    """Takes as many rows of each task, from all over the set, as neighbours share a topic."""
    chosen: list[Tokens] = []
    tasks = sorted({row.task for row in rows})
    for task in tasks:
        own = [row for row in rows if row.task == task]
        wanted = count // len(tasks)
        chosen += [own[place * len(own) // wanted] for place in range(wanted)]
    return tuple(chosen)


def compare(rounds: Sequence[Round]) -> None:
    padded = _median("padded", [each.padded for each in rounds])
    packed = _median("packed", [each.packed for each in rounds])
    print(f"\npacking is {padded / packed:.2f} times as fast as padding;")
    print(f"a loss differs by {max(each.difference for each in rounds):.1e} nats at most")


def _median(name: str, timed: Sequence[Timed]) -> float:
    """The median of the seconds, which it also prints."""
    middle = statistics.median(one.seconds for one in timed)
    print(f"median:  {name:11}{Timed(middle, timed[0].tokens, ())}")
    return middle


def _say_nothing(_: str) -> None:
    """Drops the progress of a run; `round` prints one line for each run."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2-135m", help="a model of the catalog")
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--dolly", type=Path, metavar="FILE", help="databricks-dolly-15k.jsonl")
    options = parser.parse_args()
    config = recipe(options.model, options.batch_size, sources(options.dolly))
    with tempfile.TemporaryDirectory() as folder:
        rundir = RunDirectory(Path(folder) / "data")
        rundir.create()
        ready = load_inputs(config, rundir, open_base(config, print), report=print)
        rows = spread(ready.splits.train, options.rows)
        bench = Bench(config, ready, Splits(rows, (), ()), Path(folder))
        lengths = [len(row) for row in rows]
        print(
            f"{len(rows)} rows of {min(lengths)} to {max(lengths)} tokens, "
            f"{config.training.batch_size} a step; {torch.get_num_threads()} threads",
            flush=True,
        )
        # The first step of a process takes several times as long as the others.
        bench.train("warm-up", packing=True, max_steps=1)
        compare([bench.round(number) for number in range(options.repeats)])


if __name__ == "__main__":
    main()
