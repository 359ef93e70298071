"""Which models are served and where their files are, as the settings say."""

from dataclasses import replace

from service.engine.backend import Backend
from service.engine.catalog import Catalog, CatalogModel, Selection, read_catalog
from service.engine.embedded import EmbeddedBackend
from service.settings import Settings


def catalog(settings: Settings) -> Catalog:
    """The catalog, with the bundled folder's files in place of downloads.

    Raises:
        ConfigurationError: it cannot be read or used.
    """
    found = read_catalog(settings.catalog)
    return replace(found, model=tuple(_bundled(model, settings) for model in found.model))


def selection(settings: Settings) -> Selection:
    """Raises: ConfigurationError, also where a role has not exactly one model."""
    return catalog(settings).select(settings.model)


def build_backend(settings: Settings) -> Backend:
    return EmbeddedBackend(
        selection(settings),
        models_dir=settings.models_dir,
        queue_limit=settings.queue_limit,
        threads=settings.threads,
        gpu_layers=settings.gpu_layers,
        stall_s=settings.stall_s,
    )


def _bundled(model: CatalogModel, settings: Settings) -> CatalogModel:
    folder = settings.bundled_models_dir
    if folder is None or model.path is not None or not (folder / model.file_name).is_file():
        return model
    return replace(model, path=folder / model.file_name, hub=None, wheels=None)
