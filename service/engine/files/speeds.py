"""How fast the libraries of llama.cpp run a model on this machine: measures it, and keeps the figures."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from service.engine.files.atomic_write import write_whole
from service.engine.host import cpu_name
from service.engine.llama.libraries import (
    CHOICE_VARIABLE,
    NativeLibrary,
    best_library,
    libraries,
)
from service.errors import ModelUnavailable
from service.messages import Text

PACKAGE_PARENT = Path(__file__).resolve().parents[3]
FILE_NAME = "speeds.json"
LONGEST_S, POLL_S = 300, 0.2


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens a second of one request alone. `size_bytes` is that of the model's file."""

    library: str
    model: str
    size_bytes: int
    cpu: str
    threads: int
    gpu_layers: int
    prompt_tokens_per_s: float
    answer_tokens_per_s: float


def measure(
    library: NativeLibrary,
    name: str,
    weights: Path,
    *,
    threads: int,
    gpu_layers: int,
    stopping: threading.Event | None = None,
) -> Speed:
    """It takes some seconds, and as many again for each other program that uses the CPU.

    Raises:
        ModelUnavailable: the library or the model cannot be loaded, or `stopping` was set.
    """
    command = [sys.executable, "-m", "service.engine.llama.speed", str(weights.absolute())]
    process = subprocess.Popen(
        [*command, str(threads), str(gpu_layers)],
        cwd=PACKAGE_PARENT,
        env={**os.environ, CHOICE_VARIABLE: library.package},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, errors = _output(process, stopping or threading.Event())
    try:
        found = json.loads(out)
    except ValueError as error:
        lines = errors.decode("utf-8", "replace").strip().splitlines()
        raise ModelUnavailable(
            Text(
                "The speed of %(library)s could not be measured: %(reason)s",
                library=str(library),
                reason=lines[-1] if lines else f"it ended with status {process.returncode}",
            )
        ) from error
    return Speed(
        str(library), name, weights.stat().st_size, cpu_name(), threads, gpu_layers, **found
    )


def _output(process: "subprocess.Popen[bytes]", stopping: threading.Event) -> tuple[bytes, bytes]:
    """What it wrote; kills it after `LONGEST_S`, or when it is to stop."""
    deadline = time.monotonic() + LONGEST_S
    while True:
        try:
            return process.communicate(timeout=POLL_S)
        except subprocess.TimeoutExpired:
            if stopping.is_set() or time.monotonic() > deadline:
                process.kill()


def library_line(speeds: "Speeds", model: str) -> Text:
    """Which library runs, and what another would give as far as that was measured here.

    Raises:
        ModelUnavailable: there is none.
    """
    running = best_library()
    line = (
        Text("%(library)s, compiled here", library=str(running))
        if running.is_native
        else Text("%(library)s, compiled for any CPU with AVX2", library=str(running))
    )
    if speed := speeds.of(running, model):
        rate = f"{speed.answer_tokens_per_s:.1f}"
        line = Text("%(line)s: %(rate)s tokens a second", line=line, rate=rate)
    for other in libraries():
        if other != running and (speed := speeds.of(other, model)):
            rate = f"{speed.answer_tokens_per_s:.1f}"
            line = Text("%(line)s; %(library)s: %(rate)s", line=line, library=str(other), rate=rate)
    return line


class Speeds:
    """The latest figure for each library and model, in a file of the data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE_NAME

    def __iter__(self) -> Iterator[Speed]:
        """Those of this CPU: a data folder can move to another machine. None if there is no file."""
        try:
            speeds = TypeAdapter(tuple[Speed, ...]).validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            return
        yield from (one for one in speeds if one.cpu == cpu_name())

    def of(self, library: NativeLibrary, model: str) -> Speed | None:
        return next(
            (one for one in self if one.library == str(library) and one.model == model), None
        )

    def keep(self, speed: Speed) -> None:
        others = [one for one in self if (one.library, one.model) != (speed.library, speed.model)]
        write_whole(self._path, json.dumps([asdict(one) for one in (*others, speed)], indent=1))
