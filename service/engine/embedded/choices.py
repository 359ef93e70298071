"""What each set of the catalog would take on this host, for people who choose one.

`choices` is pure; `look_at` reads what is on the disk.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from service.engine.catalog import Catalog, CatalogModel
from service.engine.files.atomic_files import SPARE_BYTES
from service.engine.files.cache_size import CacheSize, cache_size
from service.engine.files.gguf_header import read_metadata
from service.errors import ConfigurationError, ModelUnavailable
from service.messages import Text


@dataclass(frozen=True, slots=True)
class ModelFile:
    """The weights of a model: their path identifies them, and sets and models may share them.

    `cache` is None where neither the catalog nor a file says it.
    """

    path: Path
    size_bytes: int
    is_here: bool
    cache: CacheSize | None = None
    adapter_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Room:
    """What all models may take together; None for memory without a limit, as on a GPU."""

    memory_bytes: int | None
    disk_bytes: int


@dataclass(frozen=True, slots=True)
class Measured:
    """How fast a model of so many bytes wrote on this host."""

    size_bytes: int
    tokens_per_s: float


@dataclass(frozen=True, slots=True)
class Choice:
    """One set.

    `memory_bytes` are weights, adapters and caches of all its models; without `is_cache_known` the
    caches are missing in it. Models that `take_turns` do not fit the memory together. `obstacle`
    says why the host cannot run the set. `tokens_per_s` is an estimate for one request: decoding
    reads the weights once for each token, so it takes as long as they are large.
    """

    set: str | None
    models: tuple[str, ...]
    is_default: bool
    licences: tuple[str, ...] = ()
    untried: bool = False
    is_here: bool = False
    download_bytes: int = 0
    memory_bytes: int = 0
    is_cache_known: bool = False
    take_turns: bool = False
    tokens_per_s: float | None = None
    obstacle: str | None = None

    @property
    def can_run(self) -> bool:
        return self.obstacle is None


def look_at(models: Iterable[CatalogModel], models_dir: Path) -> dict[str, ModelFile]:
    """The file of each model, by the model's name. It compares sizes, not hashes."""
    return {model.name: _look_at(model, models_dir) for model in models}


def _look_at(model: CatalogModel, models_dir: Path) -> ModelFile:
    path = model.weights_path(models_dir)
    size = path.stat().st_size if path.is_file() else None
    is_here = size is not None and model.size_bytes in (None, size)
    adapter = model.adapter.path if model.adapter is not None else None
    return ModelFile(
        path,
        model.size_bytes or size or 0,
        is_here,
        _cache_of(model, path if is_here else None),
        adapter.stat().st_size if adapter is not None and adapter.is_file() else 0,
    )


def _cache_of(model: CatalogModel, path: Path | None) -> CacheSize | None:
    if path is not None:
        stat = path.stat()
        return _cache_of_file(path, stat.st_size, stat.st_mtime_ns)
    if model.cache_token_bytes is None:
        return None
    return CacheSize(model.cache_token_bytes, model.cache_sequence_bytes or 0)


@lru_cache(maxsize=64)
def _cache_of_file(path: Path, size: int, changed_ns: int) -> CacheSize | None:  # noqa: ARG001
    """Read again only once the file has changed: the page asks every two seconds at times."""
    try:
        return cache_size(read_metadata(path))
    except ModelUnavailable:
        # Whoever loads the file says what is wrong with it.
        return None


def choices(
    catalog: Catalog, files: Mapping[str, ModelFile], room: Room, measured: Measured | None = None
) -> tuple[Choice, ...]:
    """Each set of the catalog, in its order. `files` has every model by its name."""
    names: tuple[str | None, ...] = catalog.sets or (None,)
    return tuple(_choice(catalog, name, files, room, measured) for name in names)


def _choice(
    catalog: Catalog,
    name: str | None,
    files: Mapping[str, ModelFile],
    room: Room,
    measured: Measured | None,
) -> Choice:
    is_default = name == catalog.default
    try:
        models = catalog.select(name).models
    except ConfigurationError as error:
        return Choice(name, (), is_default, obstacle=error.detail)
    weights = {files[one.name].path: files[one.name] for one in models}
    missing = sum(file.size_bytes for file in weights.values() if not file.is_here)
    needs = [_own_bytes(one, files[one.name]) for one in models]
    memory = sum(file.size_bytes for file in weights.values()) + sum(needs)
    largest = max(files[one.name].size_bytes + own for one, own in zip(models, needs, strict=True))
    limit = room.memory_bytes
    return Choice(
        name,
        tuple(one.name for one in models),
        is_default,
        licences=tuple(dict.fromkeys(one.licence for one in models if one.licence is not None)),
        untried=any(one.untried for one in models),
        is_here=not missing and all(file.is_here for file in weights.values()),
        download_bytes=missing,
        memory_bytes=memory,
        is_cache_known=all(files[one.name].cache is not None for one in models),
        take_turns=limit is not None and largest <= limit < memory,
        tokens_per_s=_speed(max(file.size_bytes for file in weights.values()), measured),
        obstacle=next(_obstacles(largest, missing, room), None),
    )


def _own_bytes(model: CatalogModel, file: ModelFile) -> int:
    """The memory of a model besides its weights."""
    cache = file.cache.total(model.cells, model.slots) if file.cache is not None else 0
    return cache + file.adapter_bytes


def _obstacles(needed: int, missing: int, room: Room) -> Iterator[str]:
    if room.memory_bytes is not None and needed > room.memory_bytes:
        yield Text(
            "It needs %(needed)s GB of memory, and models may take %(room)s GB here.",
            needed=_gigabytes(needed),
            room=_gigabytes(room.memory_bytes),
        )
    if missing and missing + SPARE_BYTES > room.disk_bytes:
        yield Text(
            "The download needs %(needed)s GB on the disk, and %(room)s GB are free.",
            needed=_gigabytes(missing + SPARE_BYTES),
            room=_gigabytes(room.disk_bytes),
        )


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f}"


def _speed(size_bytes: int, measured: Measured | None) -> float | None:
    if measured is None or not size_bytes:
        return None
    return measured.tokens_per_s * measured.size_bytes / size_bytes
