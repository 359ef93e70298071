"""The process that builds one model file: `python -m service.engine.files.build_process TARGET RECIPE`.

llama.cpp ends its process on a damaged file, and this one may be ended at any time: TARGET is a
draft that its starter throws away then. Tells how far it is, in lines of JSON on its standard
output, and ends when nobody reads them any more.
"""

import json
import os
import shutil
import sys
import threading
import time
from pathlib import Path

from pydantic import TypeAdapter

from service.engine.files.atomic_files import POLL_S, require_room
from service.engine.files.build_plan import Recipe
from service.engine.files.lora_merge import Adapter
from service.engine.host import usable_cpus, yield_to_the_server
from service.engine.llama.layout import Layout
from service.engine.llama.quantise import Quantiser
from service.errors import ModelUnavailable

# Of the whole work, where a file is both re-quantised and merged: about what it takes.
QUANTISING = 0.4


class Teller:
    """Repeats how far the work is, so that its starter may give it up at any time."""

    def __init__(self) -> None:
        self.share = 0.0
        # Only lines of ours may reach the starter, and a stray print is not one.
        self._out = os.dup(sys.stdout.fileno())
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        threading.Thread(target=self._repeat, daemon=True).start()

    def _repeat(self) -> None:
        while True:
            self.tell(share=self.share)
            time.sleep(POLL_S)

    def tell(self, **message: float | str | bool) -> None:
        try:
            os.write(self._out, json.dumps(message).encode() + b"\n")
        except OSError:
            os._exit(1)


def build(recipe: Recipe, target: Path, teller: Teller) -> None:
    """Raises ModelUnavailable or OSError."""
    base = Layout.of(recipe.base)
    if float(base.metadata.get("split.count") or 0) > 1:
        raise ModelUnavailable(
            f"{recipe.base} is one part of several: join them with llama-gguf-split --merge."
        )
    # What does not fit is found before the long part.
    adapter = None
    if recipe.adapter is not None:
        adapter = Adapter.of(recipe.adapter, base, recipe.adapter_scale)
    threads, merging = usable_cpus(), 1.0

    def step(before: float, width: float, number: int, count: int) -> None:
        teller.share = before + width * (number - 1) / count

    purpose = f"building {recipe}"
    if recipe.quantise is None:
        require_room(target.parent, recipe.base.stat().st_size, purpose)
        shutil.copyfile(recipe.base, target)
    else:
        quantiser = Quantiser(threads)
        size_bytes = quantiser.size_bytes(recipe.base, recipe.quantise)
        require_room(target.parent, size_bytes, purpose)
        merging = 1.0 - QUANTISING if adapter is not None else 0.0
        quantiser.write(
            recipe.base,
            target,
            recipe.quantise,
            lambda number, count: step(0.0, 1.0 - merging, number, count),
        )
    if adapter is not None:
        adapter.add_into(
            target, threads, lambda number, count: step(1.0 - merging, merging, number, count)
        )


def main() -> None:
    yield_to_the_server()
    target, recipe = Path(sys.argv[1]), TypeAdapter(Recipe).validate_json(sys.argv[2])
    teller = Teller()
    try:
        build(recipe, target, teller)
    except ModelUnavailable as error:
        teller.tell(error=error.detail)
    except OSError as error:
        teller.tell(error=f"Cannot write {target}: {error.strerror or error}.")
    else:
        teller.tell(done=True)


if __name__ == "__main__":
    main()
