"""What a benchmark run found, as it is kept in JSON. Standard library only."""

import dataclasses
import json
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.workload import Load

OURS = "Ideapool"
PYTHON = "llama-cpp-python"
DEFAULTS = "llama-server, defaults"
PACKAGED = "llama-server, tuned"
COMPILED = "llama-server, compiled here, tuned"


@dataclass(frozen=True, slots=True)
class Sample:
    """One server at one number of clients in one round.

    The times to the first token are pairs: seconds, and whether it was really longer, because the
    level ended before. `foreign_cpu` is the share of the machine that neither the server nor the
    load generator used; a high one spoils the sample.
    """

    server: str
    round: int
    clients: int
    rate: float
    stream_rate: float
    first_p50: tuple[float, bool]
    first_p95: tuple[float, bool]
    gap_p95: float
    pss_bytes: int
    finished: int
    refused: int
    broken: int
    foreign_cpu: float
    health: tuple[float, ...] = ()
    complaints: tuple[str, ...] = ()
    load: Load = "new"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Tokens a second of the bare loop: with the reading of prompts, and of its steps alone."""

    round: int
    sequences: int
    rate: float
    step_rate: float


@dataclass(frozen=True, slots=True)
class Quantisation:
    """`step_ms` by the number of sequences; the rest against the file as it comes.

    `divergence` is the mean Kullback-Leibler divergence of the next token's distribution in nats,
    `agreement` the share of positions with the same most likely token.
    """

    name: str
    size_bytes: int
    read_rate: float
    step_ms: dict[int, float]
    divergence: float
    agreement: float


@dataclass(slots=True)
class Report:
    """`settings` are what the run was made with, `tried` the ways to run the tuned servers."""

    settings: dict[str, str]
    samples: list[Sample] = field(default_factory=list)
    ceilings: list[Ceiling] = field(default_factory=list)
    quantisations: list[Quantisation] = field(default_factory=list)
    tried: dict[str, float] = field(default_factory=dict)

    @property
    def servers(self) -> list[str]:
        return list(dict.fromkeys(sample.server for sample in self.samples))

    @property
    def levels(self) -> list[int]:
        return sorted({sample.clients for sample in self.samples})

    def under(self, load: Load) -> "Report":
        """The same report with the samples of one load alone."""
        samples = [one for one in self.samples if one.load == load]
        return dataclasses.replace(self, samples=samples)

    def of(self, server: str, clients: int) -> list[Sample]:
        return [one for one in self.samples if (one.server, one.clients) == (server, clients)]

    def median(self, server: str, clients: int, figure: Callable[[Sample], float]) -> float | None:
        """None where this server was not measured with so many clients."""
        return middle([figure(one) for one in self.of(server, clients)])

    def first_token(self, server: str, clients: int, share: float) -> tuple[float, bool] | None:
        """Median over the rounds; the flag where it is only known to be longer."""
        rounds = self.of(server, clients)
        pairs = [one.first_p95 if share > 0.5 else one.first_p50 for one in rounds]
        seconds = middle([pair[0] for pair in pairs])
        return (
            None if seconds is None else (seconds, sum(pair[1] for pair in pairs) * 2 > len(pairs))
        )

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n")


def read(path: Path) -> Report:
    raw = json.loads(path.read_text())
    pairs = ("first_p50", "first_p95", "health", "complaints")
    samples = [Sample(**one | {key: tuple(one[key]) for key in pairs}) for one in raw["samples"]]
    quantisations = [
        Quantisation(**one | {"step_ms": {int(n): ms for n, ms in one["step_ms"].items()}})
        for one in raw["quantisations"]
    ]
    ceilings = [Ceiling(**one) for one in raw["ceilings"]]
    return Report(raw["settings"], samples, ceilings, quantisations, raw["tried"])


def middle(values: Sequence[float]) -> float | None:
    known = [value for value in values if not math.isnan(value)]
    return statistics.median(known) if known else None
