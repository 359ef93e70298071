"""The model without a server: `python -m benchmarks.bench_decode ceilings|kinds FILE`.

`ceilings`: tokens a second of the bare loop with 1, 8 and 16 sequences. `kinds`: for the file and
for copies of it in other quantisations, what one step costs by the number of sequences, how fast a
prompt is read, and how far the copy's answers are from the file's. Prints JSON, one object a line.
"""

import argparse
import dataclasses
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from benchmarks import bare
from benchmarks.results import Ceiling, Quantisation
from benchmarks.workload import user_text
from service.engine.host import usable_cpus

KINDS = {
    "q4_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0,
    "q4_k_m": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M,
    "q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0,
}
STEP_COUNTS = (1, 2, 4, 8, 16, 32)
DEPTH = 96
STEPS = 12
COMPARED_TOKENS = 384
Rows = NDArray[np.float32]


def ceilings(path: Path, options: argparse.Namespace) -> None:
    with bare.opened(path) as model:
        for count in options.sequences:
            rate, step_rate = bare.ceiling(
                model,
                count,
                threads=options.threads,
                max_tokens=options.max_tokens,
                seconds=options.seconds,
            )
            _print(Ceiling(0, count, rate, step_rate))


def kinds(path: Path, options: argparse.Namespace) -> None:
    """The file itself comes first: the others are compared with it."""
    name, reference = _inspect(path, options.threads, None)
    with tempfile.TemporaryDirectory() as folder:
        for kind, file_type in KINDS.items():
            if kind != name:
                copy = Path(folder) / f"{path.stem}-{kind}.gguf"
                bare.quantise(path, copy, file_type, options.threads)
                _inspect(copy, options.threads, reference)
                copy.unlink()


def _inspect(path: Path, threads: int, reference: Rows | None) -> tuple[str, Rows]:
    with bare.opened(path) as model:
        name = model.kind
        step_ms = _steps_ms(model, threads)
        rows, read_rate = _compared_rows(model, threads)
    divergence, agreement = _distance(rows, rows if reference is None else reference)
    size = path.stat().st_size
    _print(Quantisation(name, size, read_rate, step_ms, divergence, agreement))
    return name, rows


def _steps_ms(model: bare.Model, threads: int) -> dict[int, float]:
    most = max(STEP_COUNTS)
    sequences = bare.Sequences(model, most, 256, threads)
    tokens = model.tokens(" ".join(user_text(number) for number in range(8)))[:DEPTH]
    for sequence in range(most):
        sequences.read(sequence, tokens)
    found = {}
    for count in STEP_COUNTS:
        times = []
        for step in range(STEPS):
            began = time.perf_counter()
            sequences.step([tokens[step]] * count)
            times.append(time.perf_counter() - began)
        found[count] = statistics.median(times[2:]) * 1000
    sequences.close()
    return found


def _compared_rows(model: bare.Model, threads: int) -> tuple[Rows, float]:
    """Log-probabilities after each token of a fixed text, and tokens read a second."""
    text = " ".join(user_text(number) for number in range(32))
    tokens = model.tokens(text)[:COMPARED_TOKENS]
    sequences = bare.Sequences(model, 1, 512, threads)
    sequences.read(0, tokens)
    sequences.shorten(0, 0)
    began = time.perf_counter()
    sequences.read(0, tokens)
    read_rate = len(tokens) / (time.perf_counter() - began)
    sequences.shorten(0, 0)
    logits = sequences.rows(tokens).astype(np.float64)
    sequences.close()
    logits -= logits.max(axis=1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return logits.astype(np.float32), read_rate


def _distance(rows: Rows, reference: Rows) -> tuple[float, float]:
    """Mean divergence from the reference, and how often the most likely token is the same."""
    divergence = (np.exp(reference) * (reference - rows)).sum(axis=1).mean()
    agreement = (rows.argmax(axis=1) == reference.argmax(axis=1)).mean()
    return float(divergence), float(agreement)


def _print(result: Any) -> None:
    print(json.dumps(dataclasses.asdict(result)), flush=True)


def _counts(text: str) -> Sequence[int]:
    return [int(part) for part in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("ceilings", "kinds"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--sequences", type=_counts, default=[1, 8, 16])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=usable_cpus())
    options = parser.parse_args()
    (ceilings if options.what == "ceilings" else kinds)(options.file, options)


if __name__ == "__main__":
    main()
