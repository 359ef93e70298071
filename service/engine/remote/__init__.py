"""Remote engines: OpenAI-compatible servers instead of the catalog's models."""

from service.engine.remote.backend import Address, RemoteBackend

__all__ = ["Address", "RemoteBackend"]
