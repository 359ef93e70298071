"""Tells on a connection of its own, which only reads, whether anything was stored since somebody looked."""

import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import psycopg

# One look takes a tenth of a millisecond; who waits longer waits for a database that is away.
WAIT_S = 1.0


class Versions:
    """`statement` reads a value that every transaction which stores something changes, whoever makes
    it. Any thread may ask.
    """

    def __init__(self, connect: Callable[[], Any], statement: str) -> None:
        self._connect = connect
        self._statement = statement
        self._lock = threading.Lock()
        self._connection: Any = None
        # SQLite's values are those of a connection, and would repeat after another one.
        self._connections = 0

    def now(self) -> str | None:
        """Two equal versions mean that all that is stored is the same; None if it cannot be read."""
        if not self._lock.acquire(timeout=WAIT_S):
            return None
        try:
            return self._read()
        except (sqlite3.Error, psycopg.Error, OSError):
            self._drop()
            return None
        finally:
            self._lock.release()

    def close(self) -> None:
        """The next look opens a connection again."""
        with self._lock:
            self._drop()

    def _read(self) -> str:
        if self._connection is None:
            self._connection = self._connect()
            self._connections += 1
        (value,) = self._connection.execute(self._statement).fetchone()
        return f"{self._connections} {value}"

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
