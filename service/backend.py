"""Chooses the models and builds the backend that the settings ask for."""

import json
import shutil
from collections.abc import Collection, Iterator
from dataclasses import replace

from service.engine.backend import Backend
from service.engine.catalog import Catalog, CatalogModel, Selection, read_catalog
from service.engine.embedded.backend import EmbeddedBackend
from service.engine.embedded.choices import Choice, Measured, Room, choices, look_at
from service.engine.embedded.switchable import SwitchableBackend
from service.engine.files.atomic_write import write_whole
from service.engine.files.download import Sources
from service.engine.host import memory_bytes, memory_limit_bytes
from service.engine.remote import Address, EnginePool, RemoteBackend
from service.engine.types import EngineStatus
from service.settings import Settings

# Memory for the server itself, and for decoding besides weights and caches.
RESERVE_BYTES = 512_000_000


def catalog(settings: Settings) -> Catalog:
    """The catalog with the overrides of the settings; bundled files replace downloads.

    Raises:
        ConfigurationError: the catalog cannot be read or used.
    """
    found = read_catalog(settings.catalog)
    models = tuple(_adjusted(_bundled(model, settings), settings) for model in found.model)
    return replace(found, model=models)


def selection(settings: Settings) -> Selection:
    """The models to serve: those of the settings, or those that were chosen in their place.

    Raises:
        ConfigurationError: the catalog is invalid, or a role does not have exactly one model.
    """
    found = catalog(settings)
    chosen = ChosenSet(settings).read()
    return found.select(chosen if chosen in found.sets else settings.model)


def sources(settings: Settings) -> Sources:
    token = settings.hub_token
    return Sources(
        settings.hub_url,
        settings.index_url,
        token.get_secret_value() if token is not None else None,
    )


def build_backend(settings: Settings) -> Backend:
    if settings.engine_url is not None:
        return RemoteBackend(
            *engine_addresses(settings),
            model=settings.engine_model,
            slots=settings.slots,
            queue_limit=settings.queue_limit,
            stall_s=settings.stall_s,
        )
    chosen = selection(settings)
    current = _embedded(settings, chosen)
    if settings.fetch_models:
        current.fetch_from(sources(settings))

    def build(wanted: Selection) -> EmbeddedBackend:
        # Whoever chooses a set wants its files, too.
        backend = _embedded(settings, wanted)
        backend.fetch_from(sources(settings))
        return backend

    return SwitchableBackend(chosen, current, build, switched=ChosenSet(settings).keep)


async def look_at_engines(settings: Settings) -> tuple[EngineStatus, ...]:
    """How the servers are that answer in place of the catalog's models; takes at most some seconds."""
    pool = EnginePool(engine_addresses(settings), model=settings.engine_model, slots=settings.slots)
    try:
        await pool.check()
        return pool.statuses()
    finally:
        await pool.close()


def engine_addresses(settings: Settings) -> Iterator[Address]:
    """The servers that answer in place of the catalog's models, each with its key."""
    for url, key in zip(settings.engine_urls, settings.keys_of_engines, strict=True):
        yield Address(url, key.get_secret_value() if key is not None else None)


def _embedded(settings: Settings, chosen: Selection) -> EmbeddedBackend:
    return EmbeddedBackend(
        chosen,
        models_dir=settings.models_dir,
        queue_limit=settings.queue_limit,
        threads=settings.threads,
        memory_limit_bytes=memory_for_models(settings, chosen.models, memory_limit_bytes()),
        stall_s=settings.stall_s,
    )


class ChosenSet:
    """The set that people chose while the server ran, in a file of the data folder.

    It counts until the settings name another set than they did then.
    """

    def __init__(self, settings: Settings) -> None:
        self._instead_of = settings.model
        self._path = settings.data_dir / "served-set.json"

    def read(self) -> str | None:
        try:
            kept = json.loads(self._path.read_text())
            return kept["set"] if kept["instead_of"] == self._instead_of else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, chosen: Selection) -> None:
        write_whole(self._path, json.dumps({"set": chosen.set, "instead_of": self._instead_of}))


def memory_for_models(
    settings: Settings, models: Collection[CatalogModel], granted_bytes: int | None
) -> int | None:
    """The bytes that all models may take, or None for no limit.

    `granted_bytes` is the memory limit of the container, or of the machine; None for no limit.
    """
    if settings.memory_limit_mb is not None:
        return settings.memory_limit_mb * 1_000_000
    # Memory on a GPU does not count towards the container's limit.
    if granted_bytes is None or any(model.gpu_layers for model in models):
        return None
    return granted_bytes - min(granted_bytes // 4, RESERVE_BYTES)


def model_choices(settings: Settings, measured: Measured | None = None) -> tuple[Choice, ...]:
    """What each set of the catalog would take here. `measured` is how fast one of them is here.

    Raises:
        ConfigurationError: the catalog cannot be read or used.
    """
    found = catalog(settings)
    files = look_at(found.model, settings.models_dir)
    memory = memory_for_models(settings, found.model, memory_bytes())
    folder = settings.models_dir.absolute()
    there = next(one for one in (folder, *folder.parents) if one.exists())
    return choices(found, files, Room(memory, shutil.disk_usage(there).free), measured)


def _bundled(model: CatalogModel, settings: Settings) -> CatalogModel:
    folder = settings.bundled_models_dir
    if folder is None or model.path is not None or not (folder / model.file_name).is_file():
        return model
    return replace(model, path=folder / model.file_name, hub=None, wheels=None)


def _adjusted(model: CatalogModel, settings: Settings) -> CatalogModel:
    slots, gpu_layers, tokens = settings.slots, settings.gpu_layers, model.cache_tokens
    slots = model.slots if slots is None else slots
    adapter = model.adapter
    if adapter is not None and settings.adapters is not None:
        adapter = replace(adapter, use=settings.adapters)
    return replace(
        model,
        slots=slots,
        adapter=adapter,
        cache_tokens=None if tokens is None else min(tokens, slots * model.context),
        gpu_layers=model.gpu_layers if gpu_layers is None else gpu_layers,
    )
