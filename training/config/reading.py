"""Reads configs, reporting all problems at once, and writes configs that read back the same."""

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from math import ceil, floor, nextafter
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from service.engine.catalog import read_catalog
from service.errors import ConfigurationError
from training.config.conflicts import conflicts
from training.config.schema import (
    BaseConfig,
    CommandLineText,
    DataConfig,
    EvaluationConfig,
    ExportConfig,
    Range,
    RunConfig,
)
from training.errors import ConfigProblems

CATALOG = Path(__file__).resolve().parents[2] / "models" / "catalog.toml"
"""The catalog that `base.model` refers to."""
_NON_COMMERCIAL = re.compile(r"(?<![a-z])NC(?![a-z])|non[-_ ]?commercial", re.IGNORECASE)


def read_config(path: Path, overrides: Mapping[str, str] | None = None) -> RunConfig:
    """`overrides` maps dotted keys, such as "data.sources.0.first", to values in TOML.

    Raises `ConfigProblems` with every problem, missing files included. Conflicts between sections
    and the values of a sweep are only checked if every section is valid by itself.
    """
    data = _read(path)
    problems = [
        problem
        for key, value in (overrides or {}).items()
        if (problem := _put(data, key, _command_line_value(value))) is not None
    ]
    config, found = _validated(data, path.absolute().parent)
    problems += [*found, *_section_problems(data, path.absolute().parent)]
    if config is not None:
        problems += [*_licence_problems(config), *_sweep_problems(config)]
    if config is None or problems:
        raise ConfigProblems(str(path), problems)
    return config


def with_values(config: RunConfig, values: Mapping[str, Any]) -> RunConfig:
    """The config with the given values at dotted keys. Raises `ConfigProblems`."""
    changed, problems = _changed(config, values)
    if changed is None or problems:
        raise ConfigProblems(config.name, problems)
    return changed


def dump_config(config: RunConfig) -> str:
    """TOML with every value spelled out and absolute paths, so that it reads the same anywhere."""
    data = config.model_dump(mode="json", exclude_none=True)
    tables = {key: value for key, value in data.items() if isinstance(value, dict)}
    lines = [f"{key} = {as_toml(value)}" for key, value in data.items() if key not in tables]
    for name, table in tables.items():
        if table:
            lines += ["", f"[{name}]"]
            lines += [f"{key} = {as_toml(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def is_non_commercial(licence: str) -> bool:
    return _NON_COMMERCIAL.search(licence) is not None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigProblems(str(path), [f"cannot be read: {error.strerror}"]) from error
    except ValueError as error:
        raise ConfigProblems(str(path), [f"is not valid TOML: {error}"]) from error


def _command_line_value(text: str) -> Any:
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    return _as_command_line_text(value)


def _as_command_line_text(value: Any) -> Any:
    if isinstance(value, str):
        return CommandLineText(value)
    if isinstance(value, list):
        return [_as_command_line_text(item) for item in value]
    return value


def _put(data: Any, key: str, value: Any) -> str | None:
    """Sets the value in place. Returns what is wrong with the key, or None."""
    *parents, last = key.split(".")
    for part in parents:
        if isinstance(data, list):
            data = data[int(part)] if part.isdigit() and int(part) < len(data) else None
        elif isinstance(data, dict):
            data = data.setdefault(part, {})
    if isinstance(data, list) and last.isdigit() and int(last) < len(data):
        data[int(last)] = value
    elif isinstance(data, dict) and last:
        data[last] = value
    else:
        return f"{key}: there is no such key"
    return None


def _validated(data: Any, folder: Path | None) -> tuple[RunConfig | None, list[str]]:
    try:
        config = RunConfig.model_validate(data, context=folder)
    except ValidationError as error:
        found: dict[str, list[str]] = {}
        for issue in error.errors():
            # pydantic also calls a list too short if its items are invalid; that would mislead.
            if issue["type"] == "too_short" and issue["loc"] and _is_filled(data, issue["loc"]):
                continue
            place = ".".join(_place(data, issue["loc"], is_missing=issue["type"] == "missing"))
            found.setdefault(place, []).append(_in_words(issue["type"], issue["msg"]))
        return None, [
            f"{place or 'the file'}: {', or '.join(dict.fromkeys(messages))}"
            for place, messages in found.items()
        ]
    return config, list(conflicts(config))


def _in_words(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "there is no such key"
    if kind == "missing":
        return "is missing"
    message = message.removeprefix("Value error, ").replace("Input should", "should")
    return message[:1].lower() + message[1:]


def _is_filled(data: Any, location: tuple[int | str, ...]) -> bool:
    for part in location:
        data = data.get(part) if isinstance(data, dict) else None
    return bool(data)


def _place(data: Any, location: tuple[int | str, ...], *, is_missing: bool) -> Iterator[str]:
    """The keys of the file in a pydantic location; it also names the alternatives of unions."""
    for part in location:
        known = range(len(data)) if isinstance(data, list) else data
        if isinstance(known, dict | range) and part in known:
            data = data[part]
        elif not is_missing:
            return
        yield str(part)


def _changed(config: RunConfig, values: Mapping[str, Any]) -> tuple[RunConfig | None, list[str]]:
    data = config.model_dump(mode="json", exclude_none=True)
    problems = [p for key, value in values.items() if (p := _put(data, key, value)) is not None]
    changed, found = _validated(data, None)
    return changed, problems + found


def _section_problems(data: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """Checks every section that is valid by itself, even if others are not."""
    for name, shape, problems_of in _SECTIONS:
        try:
            section = shape.model_validate(data.get(name, {}), context=folder)
        except ValidationError:
            continue
        yield from problems_of(section)


def _base_problems(base: BaseConfig) -> Iterator[str]:
    folder = base.hf if base.hf is not None and Path(base.hf).is_absolute() else None
    yield from _missing("base", gguf=base.gguf, hf=folder)
    if base.model is not None:
        yield from _unknown_model(base.model)


def _data_problems(data: DataConfig) -> Iterator[str]:
    for index, source in enumerate(data.sources):
        yield from _missing(f"data.sources.{index}", path=source.path)
    for index, path in enumerate(data.decontaminate):
        yield from _missing("data.decontaminate", **{str(index): path})


def _export_problems(export: ExportConfig) -> Iterator[str]:
    yield from _missing("export", catalog=export.catalog)


def _evaluation_problems(evaluation: EvaluationConfig) -> Iterator[str]:
    yield from _missing("evaluation", prompts=evaluation.prompts)
    if evaluation.judge_url is not None and evaluation.judge_model is None:
        yield "evaluation.judge_model: name the model to use at `judge_url`"


def _missing(section: str, **paths: Path | str | None) -> Iterator[str]:
    for key, path in paths.items():
        if path is not None and not Path(path).exists():
            yield f"{section}.{key}: {path} does not exist"


def _unknown_model(name: str) -> Iterator[str]:
    try:
        known = [model.name for model in read_catalog(CATALOG).model]
    except ConfigurationError as error:
        yield f"base.model: {error.detail}"
        return
    if name not in known:
        yield f"base.model: the catalog has no {name!r}; it has {', '.join(known)}"


def _licence_problems(config: RunConfig) -> Iterator[str]:
    for index, source in enumerate(config.data.sources):
        if config.export.catalog is not None and is_non_commercial(source.licence or ""):
            yield (
                f"data.sources.{index}.licence: {source.licence} is non-commercial. A model trained "
                "on it cannot be shipped, so leave out `export.catalog`"
            )


def _sweep_problems(config: RunConfig) -> Iterator[str]:
    space = config.sweep.space if config.sweep is not None else {}
    for key, values in space.items():
        place = f'sweep.space."{key}"'
        if key.split(".")[0] not in ("base", "data", "lora", "training"):
            yield f"{place}: only base, data, lora and training can be swept"
            continue
        tried = (values.low, values.high) if isinstance(values, Range) else values
        found = [
            f"{place} = {as_toml(value)}: {problem}"
            for value in tried
            for problem in _problems_with(config, key, value)
        ]
        if not found:
            found = [f"{place}: {problem}" for problem in _key_problems(config, key, values)]
        yield from found


def _problems_with(config: RunConfig, key: str, value: Any) -> list[str]:
    """The problems that this value adds to those of the config itself."""
    known = set(conflicts(config))
    return [problem for problem in _changed(config, {key: value})[1] if problem not in known]


def _key_problems(config: RunConfig, key: str, values: Range | tuple[Any, ...]) -> Iterator[str]:
    # Both ends may be valid, such as 8.0 and 16.0 for a rank, while nothing between them is.
    if (
        isinstance(values, Range)
        and not values.is_whole
        and _problems_with(config, key, nextafter(values.low, values.high))
    ):
        yield (
            "takes whole numbers only; write both ends as whole numbers: "
            f"{{ low = {ceil(values.low)}, high = {floor(values.high)} }}"
        )
    if key.startswith("base.") and config.data.filters.needs_likelihood:
        yield "with `ifd_max` or `plainest_share`, the held-out rows depend on the base"
    if key.startswith("data.") and not _leaves_held_out_rows(key, values):
        yield (
            "settings are compared on the same held-out rows, so only `data.train_rows` and a "
            "source's `weight` of 1 or more can be swept"
        )


def _leaves_held_out_rows(key: str, values: Range | tuple[Any, ...]) -> bool:
    if re.fullmatch(r"data\.sources\.\d+\.weight", key):
        least = values.low if isinstance(values, Range) else min(map(float, values))
        return least >= 1
    return key == "data.train_rows"


def as_toml(value: Any) -> str:
    """A JSON value in TOML syntax, on one line."""
    if isinstance(value, dict):
        inner = ", ".join(f"{_key(key)} = {as_toml(item)}" for key, item in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)


_SECTIONS: tuple[tuple[str, type[BaseModel], Callable[[Any], Iterator[str]]], ...] = (
    ("base", BaseConfig, _base_problems),
    ("data", DataConfig, _data_problems),
    ("export", ExportConfig, _export_problems),
    ("evaluation", EvaluationConfig, _evaluation_problems),
)
