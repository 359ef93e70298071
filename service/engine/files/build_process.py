"""The process that builds one model file: `python -m service.engine.files.build_process TARGET RECIPE`.

llama.cpp ends the process when a file is damaged, and the parent process may end it at any time.
TARGET is therefore a draft, which the parent then removes. The process reports its progress as
lines of JSON on its standard output and ends when nobody reads them any more.
"""

import json
import os
import shutil
import sys
import threading
import time
from pathlib import Path

from pydantic import TypeAdapter

from service.engine.files.atomic_files import POLL_S, require_disk_space
from service.engine.files.build_plan import Recipe
from service.engine.files.lora_merge import MergeableAdapter
from service.engine.host import usable_cpus, yield_to_the_server
from service.engine.llama.gguf_file import GgufFile
from service.engine.llama.quantise import Quantiser
from service.errors import ModelUnavailable

# About the share of re-quantising in the whole work when an adapter is merged as well.
QUANTISING = 0.4


class ProgressReporter:
    """Repeats the progress again and again, so that the parent can cancel at any time."""

    def __init__(self) -> None:
        self.share = 0.0
        # Only these lines may reach the parent, so whatever else is printed goes to stderr.
        self._out = os.dup(sys.stdout.fileno())
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        threading.Thread(target=self._repeat, daemon=True).start()

    def _repeat(self) -> None:
        while True:
            self.send(share=self.share)
            time.sleep(POLL_S)

    def send(self, **message: float | str | bool) -> None:
        try:
            os.write(self._out, json.dumps(message).encode() + b"\n")
        except OSError:
            os._exit(1)


def build(recipe: Recipe, target: Path, reporter: ProgressReporter) -> None:
    """Raises ModelUnavailable or OSError."""
    base = GgufFile.read(recipe.base)
    if float(base.metadata.get("split.count") or 0) > 1:
        raise ModelUnavailable(
            f"{recipe.base} is one part of several. Join them with llama-gguf-split --merge."
        )
    # An adapter that does not fit should be found before the long work.
    adapter = None
    if recipe.adapter is not None:
        adapter = MergeableAdapter.of(recipe.adapter, base, recipe.adapter_scale)
    threads, merging = usable_cpus(), 1.0

    def step(before: float, width: float, number: int, count: int) -> None:
        reporter.share = before + width * (number - 1) / count

    purpose = f"building {recipe}"
    if recipe.quantise is None:
        require_disk_space(target.parent, recipe.base.stat().st_size, purpose)
        shutil.copyfile(recipe.base, target)
    else:
        quantiser = Quantiser(threads)
        size_bytes = quantiser.size_bytes(recipe.base, recipe.quantise)
        require_disk_space(target.parent, size_bytes, purpose)
        merging = 1.0 - QUANTISING if adapter is not None else 0.0
        quantiser.write(
            recipe.base,
            target,
            recipe.quantise,
            lambda number, count: step(0.0, 1.0 - merging, number, count),
        )
    if adapter is not None:
        adapter.merge_into(
            target, threads, lambda number, count: step(1.0 - merging, merging, number, count)
        )


def main() -> None:
    yield_to_the_server()
    target, recipe = Path(sys.argv[1]), TypeAdapter(Recipe).validate_json(sys.argv[2])
    reporter = ProgressReporter()
    try:
        build(recipe, target, reporter)
    except ModelUnavailable as error:
        reporter.send(error=error.detail)
    except OSError as error:
        reporter.send(error=f"Cannot write {target}: {error.strerror or error}.")
    else:
        reporter.send(done=True)


if __name__ == "__main__":
    main()
