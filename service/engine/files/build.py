"""Prepares the files that a model is served from: verifies, fetches and builds them as needed.

A build runs in a process of its own, which this module starts and watches.
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
from service.engine.files.atomic_files import folder_lock, move_into_place
from service.engine.files.build_plan import (
    Built,
    Recipe,
    Record,
    record_served_file,
    verified_adapter,
)
from service.engine.files.checksums import (
    FETCH_ADVICE,
    PATH_ADVICE,
    fresh_sha256,
    known_sha256,
    sha256_of,
    verified_sha256,
)
from service.engine.files.download import FetchProgress, Report, Sources, fetch
from service.errors import ModelUnavailable
from service.messages import Text

logger = logging.getLogger(__name__)

PACKAGE_PARENT = Path(__file__).resolve().parents[3]
DRAFT = ".build-"


@dataclass(frozen=True, slots=True)
class ServedFiles:
    """The verified files that a model is served from.

    `adapter` is applied to the weights when they are loaded; `adapter_sha256` is also given for an
    adapter that is merged into them. `identity` is the same for the same inputs on all machines.
    """

    path: Path
    sha256: str
    identity: str
    adapter: Adapter | None = None
    adapter_sha256: str | None = None


def prepare_files(
    model: CatalogModel, models_dir: Path, report: Report, sources: Sources | None = None
) -> ServedFiles:
    """Verify the files of a model, and build the served file if that is missing.

    With `sources`, weights that are missing are fetched. It takes seconds to minutes. An exception
    raised by `report` cancels the work.

    Raises:
        ModelUnavailable: a file is missing or wrong; the error names it.
    """
    recipe = Recipe.of(model, models_dir)
    built = recipe.find(models_dir) if recipe is not None else None
    path = model.weights_path(models_dir)
    if built is None:
        if sources is not None and model.path is None and not path.is_file():
            fetch(model, models_dir, sources, report)
        advice = FETCH_ADVICE if model.path is None else PATH_ADVICE
        found = verified_sha256(path, model.sha256, advice=advice)
        built = Built(path, found) if recipe is None else build(recipe, models_dir, report)
    if recipe is not None:
        record_served_file(model.name, models_dir, built.path)
    in_effect = Recipe.in_effect(model, models_dir)
    identity = in_effect.identity if in_effect is not None else built.sha256
    files = ServedFiles(built.path, built.sha256, identity)
    adapter = model.adapter
    if recipe is not None and recipe.adapter is not None:
        return replace(files, adapter_sha256=recipe.adapter_sha256)
    if adapter is None:
        return files
    found = verified_sha256(adapter.path, adapter.sha256, advice=PATH_ADVICE)
    return replace(files, adapter=adapter, adapter_sha256=found)


def fetch_and_build(
    model: CatalogModel, models_dir: Path, sources: Sources, report: Report
) -> Path:
    """Fetch and build what is missing, and remove old builds; returns the file to serve.

    Raises:
        ModelUnavailable: a file cannot be fetched or built; the error says why.
    """
    recipe = Recipe.of(model, models_dir)
    if recipe is None:
        path = fetch(model, models_dir, sources, report)
        record_served_file(model.name, models_dir, None)
        return path
    built = recipe.find(models_dir)
    if built is None:
        fetch(model, models_dir, sources, report)
        built = build(recipe, models_dir, report)
    record_served_file(model.name, models_dir, built.path)
    size = built.path.stat().st_size
    report(FetchProgress(model.name, "ready", size, size))
    return built.path


def verify_files(model: CatalogModel, models_dir: Path) -> Iterator[str]:
    """Read every byte of each file of a model; yields a line for each correct one.

    Raises:
        ModelUnavailable: a file is missing or wrong; the error names it.
    """
    base, adapter = model.weights_path(models_dir), model.adapter
    recipe = Recipe.of(model, models_dir)
    built = recipe.find(models_dir) if recipe is not None else None
    if built is None or base.is_file():
        found = verified_sha256(base, model.sha256, hashed=fresh_sha256)
        yield f"{base} is correct, SHA-256 {found}"
    if adapter is not None:
        verified_sha256(adapter.path, adapter.sha256, advice=PATH_ADVICE, hashed=fresh_sha256)
        found = verified_adapter(adapter, base, model.sha256 or known_sha256(base))
        yield f"{adapter.path} is correct, SHA-256 {found}"
    if built is not None:
        verified_sha256(built.path, built.sha256, hashed=fresh_sha256)
        yield f"{built.path} is correct, SHA-256 {built.sha256}, built from {recipe}"
    elif recipe is not None:
        raise ModelUnavailable(
            Text(
                "The file of the model %(name)s (%(recipe)s) is not built yet, or it was "
                "changed. Run `ideapool models fetch` to build it.",
                name=model.name,
                recipe=recipe,
            )
        )


def availability(model: CatalogModel, models_dir: Path) -> str:
    """Whether the model's files are there, in a few words; hashes only what it must."""
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


def served_file(model: CatalogModel, models_dir: Path) -> Path | None:
    """The file that the model is served from, if it is here; it is not verified.

    Raises:
        ModelUnavailable: as for `Recipe.of`.
    """
    recipe = Recipe.of(model, models_dir)
    if recipe is not None:
        built = recipe.find(models_dir)
        return None if built is None else built.path
    path = model.weights_path(models_dir)
    return path if path.is_file() else None


def build(recipe: Recipe, models_dir: Path, report: Report) -> Built:
    """Build a file from verified weights, unless another process has just built it.

    Raises:
        ModelUnavailable: the file cannot be built.
    """
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with folder_lock(models_dir, lambda: report(FetchProgress(recipe.model, "waiting", 0, 0))):
            # The process that held the lock may have built it.
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
        # The record comes first: a file without one would be neither used nor ever removed.
        models = dict.fromkeys((*(old.models if old is not None else ()), recipe.model))
        Record(tuple(models), str(recipe), recipe.inputs, found).write(target)
        move_into_place(draft, target, found)
    finally:
        draft.unlink(missing_ok=True)
    return Built(target, found)


def _run(recipe: Recipe, draft: Path, on_share: Callable[[float], None]) -> None:
    adapter = recipe.adapter.absolute() if recipe.adapter is not None else None
    order = replace(recipe, base=recipe.base.absolute(), adapter=adapter)
    command = [sys.executable, "-m", "service.engine.files.build_process", str(draft.absolute())]
    command.append(TypeAdapter(Recipe).dump_json(order).decode())
    # The process already has one thread per CPU.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "GGML_NO_BACKTRACE": "1"}
    is_done = False
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        cwd=PACKAGE_PARENT,
        env=environment,
        # Ctrl-C goes to this process alone, which then ends the other one.
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
                "The process that was building %(recipe)s stopped (%(reason)s). A file is "
                "damaged, or there is too little memory.",
                recipe=recipe,
                reason=_exit_reason(process.returncode),
            )
        )


def _exit_reason(status: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(-status).name
    return f"status {status}"
