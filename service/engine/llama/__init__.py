"""The only importer of llama_cpp: its low-level API as objects that close in order.

Knows nothing of requests, queues or processes. Everything here belongs to one thread; contexts
and samplers are closed before their weights.
"""

from service.engine.llama.context import AdapterFile, Context, Rows, Shape, Slice
from service.engine.llama.sampling import Grammar, Logits, Sampler
from service.engine.llama.weights import Library, Weights, render_chat

__all__ = [
    "AdapterFile",
    "Context",
    "Grammar",
    "Library",
    "Logits",
    "Rows",
    "Sampler",
    "Shape",
    "Slice",
    "Weights",
    "render_chat",
]
