"""The log of llama.cpp: one for the whole process, told to who asked last."""

import ctypes
import weakref
from collections.abc import Callable
from typing import Any

import llama_cpp

GGML_LOG_WARN, GGML_LOG_ERROR, GGML_LOG_CONTINUE = 3, 4, 5

Listener = Callable[[int, bytes, ctypes.c_void_p], None]
"""Gets the level and the text, in pieces of a line."""


def tell_log(owner: object, listener: Listener) -> Any:
    """The callback, which the owner has to keep. When the owner goes, llama.cpp forgets it."""
    callback = llama_cpp.llama_log_callback(listener)
    llama_cpp.llama_log_set(callback, ctypes.c_void_p(0))
    # Not the callback itself, which would keep its owner alive for good.
    weakref.finalize(owner, _forget, _address(callback))
    return callback


def _forget(address: int | None) -> None:
    current, data = llama_cpp.llama_log_callback(), ctypes.c_void_p()
    llama_cpp.llama_log_get(ctypes.byref(current), ctypes.byref(data))
    # Another may have asked since.
    if _address(current) == address:
        llama_cpp.llama_log_set(llama_cpp.llama_log_callback(), ctypes.c_void_p(0))


def _address(callback: Any) -> int | None:
    return ctypes.cast(callback, ctypes.c_void_p).value
