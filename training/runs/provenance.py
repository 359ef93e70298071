"""What a run was made with, as its directory has it, and in what a config differs from that."""

from collections.abc import Iterator, Sequence
from typing import Any

from training.config import RunConfig, read_config
from training.errors import Report, TrainingError
from training.runs.run_directory import RunDirectory

MADE_WITH = ("base", "data", "lora", "training", "seed")
"""The parts of a config that decide what is trained."""


def differing(config: RunConfig, other: RunConfig, parts: Sequence[str] = MADE_WITH) -> list[str]:
    """The dotted keys in these parts, themselves dotted, whose values differ."""
    mine, others = (dict(_flat(one.model_dump(mode="json"))) for one in (config, other))
    return [
        key
        for key in mine | others
        if mine.get(key) != others.get(key) and any(f"{key}.".startswith(f"{p}.") for p in parts)
    ]


def check_same(config: RunConfig, rundir: RunDirectory, parts: Sequence[str] = MADE_WITH) -> None:
    """Raises `TrainingError` where these parts are not those of the run that is to go on."""
    if keys := _differing_now(config, rundir, parts):
        raise TrainingError(
            f"{rundir.path} has a run of another config: {', '.join(keys)} differ. Give this one "
            "another name."
        )


def own_config(config: RunConfig, rundir: RunDirectory) -> RunConfig:
    """The run's own, with the name, `[export]` and `[evaluation]` of this one.

    Raises `ConfigProblems`, such as for a file that is not there any more.
    """
    if not rundir.config.exists():
        return config
    given = {"name": config.name, "export": config.export, "evaluation": config.evaluation}
    return read_config(rundir.config).model_copy(update=given)


def tell_differences(config: RunConfig, rundir: RunDirectory, report: Report) -> None:
    """In what a config is not that of the run or sweep which is worked on."""
    if keys := _differing_now(config, rundir, MADE_WITH):
        report(
            f"{rundir.path} was made with other values of {', '.join(keys)} than the config has "
            "now. The run's own are taken."
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
