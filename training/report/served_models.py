"""The part of a report on what is served: the catalog's sets by role, and the verdict on each run."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from service.engine.catalog import Catalog, CatalogModel
from service.engine.files.checksums import sha256_of
from service.engine.types import Role
from training.evaluation.evaluation_text import Values, percent, table
from training.report.recorded_runs import RecordedRuns, Run, read_toml
from training.runs.run_directory import RunDirectory

DIGITS = 12
"""The number of digits shown of a hash; the catalog has all of them."""


def served(found: RecordedRuns, catalog: Catalog | None, configs: Path) -> Iterator[str]:
    """Raises `ConfigurationError` if a set of the catalog cannot be served."""
    yield "## What is served, and why"
    yield ""
    if catalog is not None:
        yield from _sets(found, catalog)
    else:
        yield "There is no model catalog."
        yield ""
    yield from _verdicts(found, configs)


def _sets(found: RecordedRuns, catalog: Catalog) -> Iterator[str]:
    rows = []
    for name in catalog.sets or (None,):
        by_role = catalog.select(name).by_role
        is_default = name is not None and name == catalog.default
        rows += [
            (
                f"{name or '–'}{' (default)' if is_default else ''}",
                role,
                by_role[role].name,
                _digits(by_role[role].sha256),
                *_adapter(found, by_role[role]),
                _head(by_role[role]),
            )
            for role in get_args(Role)
        ]
    yield from table(
        (
            "set",
            "role",
            "model",
            "SHA-256",
            "adapter",
            "SHA-256",
            "run",
            "parity",
            "score head",
        ),
        rows,
    )
    yield (
        "Parity is the relative change of the NLL from the merged model in transformers to the base with "
        "the shared adapter."
    )
    yield ""


def _adapter(found: RecordedRuns, model: CatalogModel) -> tuple[str, str, str, str]:
    """The adapter's file and use, its hash, the run that made it, and its parity as it is served."""
    one = model.adapter
    if one is None:
        return "none", "", "", ""
    run = next((run for run in found.every_run if _is_of(run, one.sha256)), None)
    file, digits = f"{one.path.name}, {one.use}", _digits(one.sha256)
    if run is None:
        return file, digits, "not recorded", "–"
    return file, digits, run.name, _parity(run) if one.use == "shared" else "–"


def _parity(run: Run) -> str:
    """The change of the NLL with the shared adapter."""
    files = run.parity.files if run.parity is not None else ()
    return next((percent(one.change, 2) for one in files if one.kind == "adapter"), "–")


def _is_of(run: Run, sha256: str | None) -> bool:
    return any(sha256_of(path) == sha256 for path in run.rundir.export.glob("*-adapter.gguf"))


def _head(model: CatalogModel) -> str:
    return model.score_head.path.name if model.score_head is not None else "none"


def _digits(sha256: str | None) -> str:
    return f"`{sha256[:DIGITS]}`" if sha256 is not None else "–"


def _verdicts(found: RecordedRuns, configs: Path) -> Iterator[str]:
    made = {run.name: run.config for run in found.runs}
    for name, sweep in found.sweeps.items():
        path = RunDirectory(sweep.path).config
        made[name] = read_toml(path) if path.exists() else {}
    for name, config in sorted(made.items()):
        verdict = _verdict(next(configs.rglob(f"{name}.toml"), None), config)
        yield f"- `{name}`: {verdict or 'Its config has no `report.verdict`.'}"
    yield ""


def _verdict(shipped: Path | None, own: Values) -> str | None:
    """The verdict of the config as it is now, because a decision follows the run, else the run's."""
    configs = (read_toml(shipped) if shipped is not None else {}, own)
    found = (one.get("report", {}).get("verdict") for one in configs)
    return next((" ".join(verdict.split()) for verdict in found if verdict), None)
