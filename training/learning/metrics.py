"""The metrics of a run: one line of JSON for each log, and a table of all of them."""

import csv
import io
import json
import resource
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from training.runs.run_directory import RunDirectory


@dataclass(frozen=True, slots=True)
class StepMetrics:
    """The metrics at a step. `loss` is the mean since the previous log.

    `tokens` counts the tokens read so far: without padding, and with a beginning that rows of a bin
    share counted once.
    """

    step: int
    epoch: float
    loss: float | None = None
    learning_rate: float | None = None
    gradient_norm: float | None = None
    validation_nll: float | None = None
    validation_bits_per_byte: float | None = None
    tokens: int | None = None
    seconds: float | None = None
    tokens_per_s: float | None = None
    peak_memory_mb: int | None = None


class MetricsLog:
    def __init__(self, rundir: RunDirectory, earlier: Sequence[StepMetrics] = ()) -> None:
        """`earlier` has the metrics that a resumed run keeps."""
        self.rundir = rundir
        self.measured = list(earlier)
        rundir.write_text(rundir.metrics_jsonl, "".join(map(_line, self.measured)))

    def add(self, measured: StepMetrics) -> None:
        self.measured.append(measured)
        with self.rundir.metrics_jsonl.open("a", encoding="utf-8") as file:
            file.write(_line(measured))

    def write_table(self) -> None:
        text = io.StringIO()
        table = csv.DictWriter(text, list(StepMetrics.__dataclass_fields__), lineterminator="\n")
        table.writeheader()
        table.writerows(asdict(one) for one in self.measured)
        self.rundir.write_text(self.rundir.metrics_csv, text.getvalue())


def read_metrics(rundir: RunDirectory, *, up_to: int | None = None) -> list[StepMetrics]:
    """The metrics up to a step. Stops at a line that was only partly written."""
    if not rundir.metrics_jsonl.exists():
        return []
    found: list[StepMetrics] = []
    for line in rundir.metrics_jsonl.read_text(encoding="utf-8").splitlines():
        try:
            values: dict[str, Any] = json.loads(line)
        except ValueError:
            break
        if up_to is None or values["step"] <= up_to:
            found.append(StepMetrics(**values))
    return found


def forget_peak_memory() -> None:
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def peak_memory_mb() -> int:
    """The peak memory of the GPU, or of this process if there is no GPU."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated() // 2**20)
    # macOS counts bytes, Linux kibibytes.
    per_mb = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // per_mb


def in_words(measured: StepMetrics, steps: int) -> str:
    parts = [f"step {measured.step}/{steps}"]
    if measured.loss is not None:
        parts.append(f"loss {measured.loss:.4f}")
    if measured.validation_nll is not None:
        parts.append(f"validation NLL {measured.validation_nll:.4f}")
    if measured.tokens_per_s:
        parts.append(f"{measured.tokens_per_s:,.0f} tokens/s")
    return ", ".join(parts)


def _line(measured: StepMetrics) -> str:
    known = {key: value for key, value in asdict(measured).items() if value is not None}
    return json.dumps(known) + "\n"
