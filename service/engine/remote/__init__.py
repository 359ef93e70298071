"""Another engine: an OpenAI-compatible server in place of our own models."""

from service.engine.remote.backend import RemoteBackend

__all__ = ["RemoteBackend"]
