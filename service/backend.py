"""Chooses the models and builds the backend that the settings ask for."""

from collections.abc import Collection
from dataclasses import replace

from service.engine.backend import Backend
from service.engine.catalog import Catalog, CatalogModel, Selection, read_catalog
from service.engine.embedded.backend import EmbeddedBackend
from service.engine.host import memory_limit_bytes
from service.engine.remote import RemoteBackend
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
    """The models to serve.

    Raises:
        ConfigurationError: the catalog is invalid, or a role does not have exactly one model.
    """
    return catalog(settings).select(settings.model)


def build_backend(settings: Settings) -> Backend:
    if settings.engine_url is not None:
        key = settings.engine_key
        return RemoteBackend(
            settings.engine_url,
            key=key.get_secret_value() if key is not None else None,
            model=settings.engine_model,
            slots=settings.slots,
            queue_limit=settings.queue_limit,
            stall_s=settings.stall_s,
        )
    chosen = selection(settings)
    return EmbeddedBackend(
        chosen,
        models_dir=settings.models_dir,
        queue_limit=settings.queue_limit,
        threads=settings.threads,
        memory_limit_bytes=memory_for_models(settings, chosen.models, memory_limit_bytes()),
        stall_s=settings.stall_s,
    )


def memory_for_models(
    settings: Settings, models: Collection[CatalogModel], granted_bytes: int | None
) -> int | None:
    """The bytes that all models may take, or None for no limit.

    `granted_bytes` is the memory limit of the container, if it has one.
    """
    if settings.memory_limit_mb is not None:
        return settings.memory_limit_mb * 1_000_000
    # Memory on a GPU does not count towards the container's limit.
    if granted_bytes is None or any(model.gpu_layers for model in models):
        return None
    return granted_bytes - min(granted_bytes // 4, RESERVE_BYTES)


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
