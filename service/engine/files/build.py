"""Builds the files that are served where they differ from the weights that are fetched.

A process of its own does the work; this is who starts it, watches it and takes over the result.
"""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from service.engine.catalog import Adapter, CatalogModel
from service.engine.files.atomic_files import put_in_place, sole_writer
from service.engine.files.build_plan import Built, Recipe, Record, settle, verified_adapter
from service.engine.files.checksums import (
    FETCH_ADVICE,
    PATH_ADVICE,
    known_sha256,
    sha256_of,
    verified_sha256,
)
from service.engine.files.download import FetchProgress, Report, fetch
from service.errors import ModelUnavailable
from service.messages import Text

logger = logging.getLogger(__name__)

PACKAGE_PARENT = Path(__file__).resolve().parents[3]
DRAFT = ".build-"


@dataclass(frozen=True, slots=True)
class ReadyFiles:
    """What a model is served from.

    `adapter` is to be applied to the weights; `adapter_sha256` is known where it is merged, too.
    `identity` is the same wherever the model is made of the same things.
    """

    path: Path
    sha256: str
    identity: str
    adapter: Adapter | None = None
    adapter_sha256: str | None = None


def make_ready(model: CatalogModel, models_dir: Path, report: Report) -> ReadyFiles:
    """The files, verified; what has to be built from them is built. Takes seconds to minutes.

    An exception from `report` gives up.

    Raises:
        ModelUnavailable: says which file is missing or wrong.
    """
    recipe = Recipe.of(model, models_dir)
    built = recipe.find(models_dir) if recipe is not None else None
    path = model.weights_path(models_dir)
    if built is None:
        advice = FETCH_ADVICE if model.path is None else PATH_ADVICE
        found = verified_sha256(path, model.sha256, advice=advice)
        built = Built(path, found) if recipe is None else build(recipe, models_dir, report)
    if recipe is not None:
        settle(model.name, models_dir, built.path)
    in_effect = Recipe.in_effect(model, models_dir)
    identity = in_effect.identity if in_effect is not None else built.sha256
    files = ReadyFiles(built.path, built.sha256, identity)
    adapter = model.adapter
    if recipe is not None and recipe.adapter is not None:
        return replace(files, adapter_sha256=recipe.adapter_sha256)
    if adapter is None:
        return files
    found = verified_sha256(adapter.path, adapter.sha256, advice=PATH_ADVICE)
    return replace(files, adapter=adapter, adapter_sha256=found)


def obtain(model: CatalogModel, models_dir: Path, *, hub_url: str, report: Report) -> Path:
    """The file to serve; what is not there is fetched and built, what it replaces is removed.

    Raises:
        ModelUnavailable: says what is missing, wrong or too large.
    """
    recipe = Recipe.of(model, models_dir)
    if recipe is None:
        path = fetch(model, models_dir, hub_url=hub_url, report=report)
        settle(model.name, models_dir, None)
        return path
    built = recipe.find(models_dir)
    if built is None:
        fetch(model, models_dir, hub_url=hub_url, report=report)
        built = build(recipe, models_dir, report)
    settle(model.name, models_dir, built.path)
    size = built.path.stat().st_size
    report(FetchProgress(model.name, "ready", size, size))
    return built.path


def check(model: CatalogModel, models_dir: Path) -> Iterator[str]:
    """A line on each file of a model that is right.

    Raises:
        ModelUnavailable: names the first that is not.
    """
    base, adapter = model.weights_path(models_dir), model.adapter
    recipe = Recipe.of(model, models_dir)
    built = recipe.find(models_dir) if recipe is not None else None
    if built is None or base.is_file():
        found = verified_sha256(base, model.sha256)
        yield f"{base} is right, SHA-256 {found}"
    if adapter is not None:
        found = verified_adapter(adapter, base, model.sha256 or known_sha256(base))
        yield f"{adapter.path} is right, SHA-256 {found}"
    if built is not None:
        yield f"{built.path} is right, SHA-256 {built.sha256}, built from {recipe}"
    elif recipe is not None:
        raise ModelUnavailable(
            Text(
                "What is served as %(name)s (%(recipe)s) is not built yet, or the file was "
                "changed. Run `ideapool models fetch` to build it.",
                name=model.name,
                recipe=recipe,
            )
        )


def whereabouts(model: CatalogModel, models_dir: Path) -> str:
    """In a few words; reads no more than it must."""
    is_here = model.weights_path(models_dir).is_file()
    try:
        recipe = Recipe.of(model, models_dir)
    except ModelUnavailable as error:
        return error.detail
    if recipe is None:
        return "here" if is_here else "not fetched"
    if recipe.find(models_dir) is not None:
        return f"here, built from {recipe}"
    return f"{'fetched' if is_here else 'not fetched'}, to be built: {recipe}"


def build(recipe: Recipe, models_dir: Path, report: Report) -> Built:
    """What the recipe makes of weights that are right.

    Raises:
        ModelUnavailable: it cannot be built.
    """
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with sole_writer(models_dir, lambda: report(FetchProgress(recipe.model, "waiting", 0, 0))):
            # Whoever held the lock may have built it.
            return recipe.find(models_dir) or _build(recipe, models_dir, report)
    except OSError as error:
        reason = error.strerror or error
        raise ModelUnavailable(
            Text(
                "Cannot build %(recipe)s in %(models_dir)s: %(reason)s.",
                recipe=recipe,
                models_dir=models_dir,
                reason=reason,
            )
        ) from error


def _build(recipe: Recipe, models_dir: Path, report: Report) -> Built:
    for leftover in models_dir.glob(DRAFT + "*"):
        leftover.unlink()
    logger.info("Building %s", recipe)
    target, draft = models_dir / recipe.file_name, models_dir / f"{DRAFT}{os.getpid()}"
    total = recipe.base.stat().st_size
    old = Record.read(target)
    try:
        _run(
            recipe,
            draft,
            lambda share: report(
                FetchProgress(recipe.model, "building", int(share * total), total)
            ),
        )
        size = draft.stat().st_size
        found = sha256_of(
            draft, lambda done: report(FetchProgress(recipe.model, "verifying", done, size))
        )
        # The record first: a file without one would never be looked at nor removed.
        models = dict.fromkeys((*(old.models if old is not None else ()), recipe.model))
        Record(tuple(models), str(recipe), recipe.inputs, found).write(target)
        put_in_place(draft, target, found)
    finally:
        draft.unlink(missing_ok=True)
    return Built(target, found)


def _run(recipe: Recipe, draft: Path, on_share: Callable[[float], None]) -> None:
    adapter = recipe.adapter.absolute() if recipe.adapter is not None else None
    order = replace(recipe, base=recipe.base.absolute(), adapter=adapter)
    command = [sys.executable, "-m", "service.engine.files.build_process", str(draft.absolute())]
    command.append(TypeAdapter(Recipe).dump_json(order).decode())
    # The process has a thread for each CPU already.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "GGML_NO_BACKTRACE": "1"}
    is_done = False
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        cwd=PACKAGE_PARENT,
        env=environment,
        # A Ctrl-C is for us, and then this process is ended in order.
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                message = json.loads(line)
                if "error" in message:
                    raise ModelUnavailable(message["error"])
                is_done = is_done or "done" in message
                on_share(message.get("share", 1.0))
        except BaseException:
            process.kill()
            raise
    if not is_done:
        raise ModelUnavailable(
            Text(
                "The process that was building %(recipe)s ended (%(reason)s): a file is "
                "damaged, or there is too little memory.",
                recipe=recipe,
                reason=_end_of(process.returncode),
            )
        )


def _end_of(status: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(-status).name
    return f"status {status}"
