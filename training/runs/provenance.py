"""Compares a config with the one that a run was made with, which its directory records."""

from collections.abc import Iterator, Sequence
from typing import Any

from training.config import RunConfig, read_config
from training.errors import Report, TrainingError
from training.runs.run_directory import RunDirectory

MADE_WITH = ("base", "data", "lora", "training", "seed")
"""The parts of a config that determine the trained adapter."""


def differing(config: RunConfig, other: RunConfig, parts: Sequence[str] = MADE_WITH) -> list[str]:
    """The dotted keys whose values differ; `parts` are dotted, too."""
    mine, others = (dict(_flat(one.model_dump(mode="json"))) for one in (config, other))
    return [
        key
        for key in mine | others
        if mine.get(key) != others.get(key) and any(f"{key}.".startswith(f"{p}.") for p in parts)
    ]


def check_same(config: RunConfig, rundir: RunDirectory, parts: Sequence[str] = MADE_WITH) -> None:
    """Raises `TrainingError` if the run to resume was made with other values in these parts."""
    if keys := _differing_now(config, rundir, parts):
        raise TrainingError(
            f"{rundir.path} was made with another config: {', '.join(keys)} differ. Give this run "
            "another name."
        )


def recorded_config(config: RunConfig, rundir: RunDirectory) -> RunConfig:
    """The config recorded with the run, with the name, `[export]` and `[evaluation]` of `config`.

    Raises `ConfigProblems`, for example if one of its files no longer exists.
    """
    if not rundir.config.exists():
        return config
    given = {"name": config.name, "export": config.export, "evaluation": config.evaluation}
    return read_config(rundir.config).model_copy(update=given)


def report_differences(config: RunConfig, rundir: RunDirectory, report: Report) -> None:
    """Reports the keys in which the config differs from the one recorded with the run or sweep."""
    if keys := _differing_now(config, rundir, MADE_WITH):
        report(
            f"{rundir.path} was made with other values of {', '.join(keys)} than the config has "
            "now. The recorded values are used."
        )


def _differing_now(config: RunConfig, rundir: RunDirectory, parts: Sequence[str]) -> list[str]:
    return differing(config, read_config(rundir.config), parts) if rundir.config.exists() else []


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for name, item in items:
            yield from _flat(item, f"{key}.{name}" if key else str(name))
    else:
        yield key, value
