"""The only importer of llama_cpp: its low-level API as objects that must be closed.

It knows nothing of requests, queues or processes. All objects belong to one thread, and contexts
and samplers must be closed before their model.
"""

from service.engine.llama.context import AdapterFile, Chunk, Context, ContextSize, Outputs, Rows
from service.engine.llama.library import Library
from service.engine.llama.model import LlamaModel, render_chat
from service.engine.llama.sampling import CANDIDATE, Following, Grammar, Logits, OwnGrammar, Sampler

__all__ = [
    "CANDIDATE",
    "AdapterFile",
    "Chunk",
    "Context",
    "ContextSize",
    "Following",
    "Grammar",
    "Library",
    "LlamaModel",
    "Logits",
    "Outputs",
    "OwnGrammar",
    "Rows",
    "Sampler",
    "render_chat",
]
