"""Reads a config and finds all that is wrong with it at once; writes one that reads the same."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from service.engine.catalog import read_catalog
from service.errors import ConfigurationError
from training.config.shapes import Given, Range, RunConfig, SweepConfig
from training.errors import ConfigProblems

CATALOG = Path(__file__).resolve().parents[2] / "models" / "catalog.toml"
"""The models that `base.model` names."""
_NON_COMMERCIAL = re.compile(r"(?<![a-z])NC(?![a-z])|non[-_ ]?commercial", re.IGNORECASE)


def read_config(path: Path, overrides: Mapping[str, str] | None = None) -> RunConfig:
    """`overrides` map dotted keys, such as "data.sources.0.first", to values in TOML.

    Raises `ConfigProblems` with every problem, those of files that are named included.
    """
    data = _read(path)
    problems = [
        problem
        for key, value in (overrides or {}).items()
        if (problem := _put(data, key, _given(value))) is not None
    ]
    config, found = _validated(data, path.absolute().parent)
    problems += found
    if config is not None:
        problems += _cross_checks(config)
    if config is None or problems:
        raise ConfigProblems(str(path), problems)
    return config


def with_values(config: RunConfig, values: Mapping[str, Any]) -> RunConfig:
    """The config with other values at dotted keys. Raises `ConfigProblems`."""
    changed, problems = _changed(config, values)
    if changed is None or problems:
        raise ConfigProblems(config.name, problems)
    return changed


def dump_config(config: RunConfig) -> str:
    """TOML that gives the same config wherever it is read, with every value spelled out."""
    data = config.model_dump(mode="json", exclude_none=True)
    tables = {key: value for key, value in data.items() if isinstance(value, dict)}
    lines = [f"{key} = {_toml(value)}" for key, value in data.items() if key not in tables]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def is_non_commercial(licence: str) -> bool:
    return _NON_COMMERCIAL.search(licence) is not None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigProblems(str(path), [f"it cannot be read: {error.strerror}"]) from error
    except ValueError as error:
        raise ConfigProblems(str(path), [f"it is not valid TOML: {error}"]) from error


def _given(text: str) -> Any:
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    return _marked(value)


def _marked(value: Any) -> Any:
    if isinstance(value, str):
        return Given(value)
    if isinstance(value, list):
        return [_marked(item) for item in value]
    return value


def _put(data: Any, key: str, value: Any) -> str | None:
    """Sets the value in place; returns what is wrong with the key."""
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
        return RunConfig.model_validate(data, context=folder), []
    except ValidationError as error:
        found: dict[str, list[str]] = {}
        for issue in error.errors():
            # A list whose items were refused is also called too short, which would mislead.
            if issue["type"] == "too_short" and issue["loc"] and _is_filled(data, issue["loc"]):
                continue
            place = ".".join(_place(data, issue["loc"], is_missing=issue["type"] == "missing"))
            found.setdefault(place, []).append(_in_words(issue["type"], issue["msg"]))
        return None, [
            f"{place or 'the file'}: {', or '.join(dict.fromkeys(messages))}"
            for place, messages in found.items()
        ]


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
    """The keys of the file; a location also names the kinds of value that were tried."""
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


def _cross_checks(config: RunConfig) -> Iterator[str]:
    yield from _missing_files(config)
    if config.base.model is not None:
        yield from _unknown_model(config.base.model)
    if config.evaluation.judge_url is not None and config.evaluation.judge_model is None:
        yield "evaluation.judge_model: name the model to ask at `judge_url`"
    if config.export.catalog is not None:
        for index, source in enumerate(config.data.sources):
            if is_non_commercial(source.licence or ""):
                yield (
                    f"data.sources.{index}.licence: {source.licence} is non-commercial; what is "
                    "trained on it cannot be shipped, so leave out `export.catalog`"
                )
    if config.sweep is not None:
        yield from _sweep_problems(config, config.sweep)


def _missing_files(config: RunConfig) -> Iterator[str]:
    named = {
        "base.gguf": config.base.gguf,
        "evaluation.prompts": config.evaluation.prompts,
        "export.catalog": config.export.catalog,
    }
    named |= {f"data.sources.{i}.path": one.path for i, one in enumerate(config.data.sources)}
    named |= {f"data.decontaminate.{i}": one for i, one in enumerate(config.data.decontaminate)}
    if config.base.hf is not None and Path(config.base.hf).is_absolute():
        named["base.hf"] = Path(config.base.hf)
    for key, path in named.items():
        if path is not None and not path.exists():
            yield f"{key}: there is no {path}"


def _unknown_model(name: str) -> Iterator[str]:
    try:
        known = [model.name for model in read_catalog(CATALOG).model]
    except ConfigurationError as error:
        yield f"base.model: {error.detail}"
        return
    if name not in known:
        yield f"base.model: the catalog has no {name!r}; it has {', '.join(known)}"


def _sweep_problems(config: RunConfig, sweep: SweepConfig) -> Iterator[str]:
    for key, values in sweep.space.items():
        if key.split(".")[0] not in ("base", "data", "lora", "training"):
            yield f'sweep.space."{key}": only base, data, lora and training can be swept'
            continue
        tried = (values.low, values.high) if isinstance(values, Range) else values
        for value in tried:
            for problem in _changed(config, {key: value})[1]:
                yield f'sweep.space."{key}" = {_toml(value)}: {problem}'


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{_key(key)} = {_toml(item)}" for key, item in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)
