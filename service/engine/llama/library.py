"""The llama.cpp library itself, and its log, of which there is one for the whole process."""

import ctypes
import sys
import weakref
from collections.abc import Callable
from typing import Any

from service.engine.llama.c_api import c_api
from service.engine.llama.structures import (
    GGML_LOG_CONTINUE,
    GGML_LOG_ERROR,
    GGML_LOG_WARN,
    LogCallback,
)

EXPECTED_WARNINGS = (
    # Of each adapter tensor beside repacked weights; it makes no difference.
    "cannot use buft",
    # We ask for it.
    "using full-size SWA cache",
)

LogListener = Callable[[int, bytes, ctypes.c_void_p], None]
"""Called with the level and with a line of the log, or a part of one."""


class Library:
    """llama.cpp, initialised. Its warnings and errors go to stderr; other messages are dropped."""

    def __init__(self) -> None:
        self.last_error = ""
        self._is_shown = False
        self._callback = set_log_listener(self, self._log)
        c_api().llama_backend_init()

    def _log(self, level: int, text: bytes, _: ctypes.c_void_p) -> None:
        if level != GGML_LOG_CONTINUE:
            self._is_shown = level in (GGML_LOG_WARN, GGML_LOG_ERROR)
        if not self._is_shown:
            return
        line = text.decode("utf-8", "replace")
        if any(warning in line for warning in EXPECTED_WARNINGS):
            return
        if level == GGML_LOG_ERROR:
            self.last_error = line.strip()
        sys.stderr.write(line)

    def close(self) -> None:
        c_api().llama_backend_free()


def set_log_listener(owner: object, listener: LogListener) -> Any:
    """Send the log to this listener alone; returns the callback, which the owner must keep.

    When the owner is garbage-collected, llama.cpp forgets the callback.
    """
    callback = LogCallback(listener)
    c_api().llama_log_set(callback, ctypes.c_void_p(0))
    # Only the address: the callback would keep its owner alive for ever.
    weakref.finalize(owner, _forget, _address(callback))
    return callback


def _forget(address: int | None) -> None:
    current, data = LogCallback(), ctypes.c_void_p()
    c_api().llama_log_get(ctypes.byref(current), ctypes.byref(data))
    # Another listener may have been set since.
    if _address(current) == address:
        c_api().llama_log_set(LogCallback(), ctypes.c_void_p(0))


def _address(callback: Any) -> int | None:
    return ctypes.cast(callback, ctypes.c_void_p).value
