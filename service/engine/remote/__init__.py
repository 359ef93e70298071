"""A remote engine: an OpenAI-compatible server instead of the catalog's models."""

from service.engine.remote.backend import RemoteBackend

__all__ = ["RemoteBackend"]
