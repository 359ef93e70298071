"""The llama.cpp library itself, and its log, of which there is one for the whole process."""

import ctypes
import sys
import weakref
from collections.abc import Callable
from typing import Any

import llama_cpp

GGML_LOG_WARN, GGML_LOG_ERROR, GGML_LOG_CONTINUE = 3, 4, 5
# llama.cpp warns so of each adapter tensor beside repacked weights; it makes no difference.
EXPECTED_WARNING = "cannot use buft"

LogListener = Callable[[int, bytes, ctypes.c_void_p], None]
"""Called with the level and with a line of the log, or a part of one."""


class Library:
    """llama.cpp, initialised. Its warnings and errors go to stderr; other messages are dropped."""

    def __init__(self) -> None:
        self.last_error = ""
        self._is_shown = False
        self._callback = set_log_listener(self, self._log)
        llama_cpp.llama_backend_init()

    def _log(self, level: int, text: bytes, _: ctypes.c_void_p) -> None:
        if level != GGML_LOG_CONTINUE:
            self._is_shown = level in (GGML_LOG_WARN, GGML_LOG_ERROR)
        if not self._is_shown:
            return
        line = text.decode("utf-8", "replace")
        if EXPECTED_WARNING in line:
            return
        if level == GGML_LOG_ERROR:
            self.last_error = line.strip()
        sys.stderr.write(line)

    def close(self) -> None:
        llama_cpp.llama_backend_free()


def set_log_listener(owner: object, listener: LogListener) -> Any:
    """Send the log to this listener alone; returns the callback, which the owner must keep.

    When the owner is garbage-collected, llama.cpp forgets the callback.
    """
    callback = llama_cpp.llama_log_callback(listener)
    llama_cpp.llama_log_set(callback, ctypes.c_void_p(0))
    # Only the address: the callback would keep its owner alive for ever.
    weakref.finalize(owner, _forget, _address(callback))
    return callback


def _forget(address: int | None) -> None:
    current, data = llama_cpp.llama_log_callback(), ctypes.c_void_p()
    llama_cpp.llama_log_get(ctypes.byref(current), ctypes.byref(data))
    # Another listener may have been set since.
    if _address(current) == address:
        llama_cpp.llama_log_set(llama_cpp.llama_log_callback(), ctypes.c_void_p(0))


def _address(callback: Any) -> int | None:
    return ctypes.cast(callback, ctypes.c_void_p).value
