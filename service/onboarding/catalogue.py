"""Reads the templates and the sample board from their files, one for each language."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import ValidationError

from service.errors import ConfigurationError, InvalidInput, NotFound
from service.messages import Text
from service.schemas.board_templates import BoardTemplate, SampleBoard

ShapeT = TypeVar("ShapeT", BoardTemplate, SampleBoard)
DATA = Path(__file__).resolve().parent / "data"


def languages() -> tuple[str, ...]:
    return tuple(sorted(_templates()))


def templates(language: str) -> tuple[BoardTemplate, ...]:
    """Raises: InvalidInput if there are none in this language."""
    return _templates()[_known(language)]


def template(template_id: str, language: str) -> BoardTemplate:
    """Raises: NotFound, or InvalidInput for a language without templates."""
    found = [one for one in templates(language) if one.id == template_id]
    if not found:
        known = ", ".join(one.id for one in templates(language))
        raise NotFound(
            Text("There is no template “%(id)s”; choose one of %(all)s.", id=template_id, all=known)
        )
    return found[0]


def sample(language: str) -> SampleBoard:
    """Raises: InvalidInput if there is none in this language."""
    return _samples()[_known(language)]


def _known(language: str) -> str:
    if language not in _templates():
        raise InvalidInput(
            Text(
                "There are no templates in the language “%(language)s”; choose one of %(all)s.",
                language=language,
                all=", ".join(languages()),
            ),
            pointer="/language",
        )
    return language


@cache
def _templates() -> Mapping[str, tuple[BoardTemplate, ...]]:
    found = {}
    for language, path in _files("templates"):
        entries = _read(path).get("template", [])
        found[language] = tuple(_checked(path, BoardTemplate, entry) for entry in entries)
    return MappingProxyType(found)


@cache
def _samples() -> Mapping[str, SampleBoard]:
    return MappingProxyType(
        {language: _checked(path, SampleBoard, _read(path)) for language, path in _files("sample")}
    )


def _files(name: str) -> list[tuple[str, Path]]:
    return [(path.name.split(".")[1], path) for path in sorted(DATA.glob(f"{name}.*.toml"))]


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _checked(path: Path, shape: type[ShapeT], entry: dict[str, Any]) -> ShapeT:
    try:
        return shape.model_validate(entry)
    except ValidationError as error:
        raise ConfigurationError(f"{path.name}: {error}") from error
