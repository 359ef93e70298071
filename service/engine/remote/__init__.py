"""Remote engines: OpenAI-compatible servers instead of the catalog's models."""

from service.engine.remote.backend import RemoteBackend
from service.engine.remote.engine_pool import Address, EnginePool

__all__ = ["Address", "EnginePool", "RemoteBackend"]
