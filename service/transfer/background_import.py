"""Imports that go on while nobody waits for their answer."""

import logging
import threading
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any

from service.errors import Overloaded, ServiceError, describe
from service.messages import Text
from service.schemas.imports import Imported
from service.store import Store
from service.store.batches import Stopped
from service.transfer.file_reader import FileReader
from service.transfer.importer import ImportOptions, import_file

MOST = 4
# An import that is done so soon is answered as if somebody had waited for it.
SOON_S = 1.0
# For so long a server that ends waits for the transaction that an import is in.
CLOSING_S = 5.0
_log = logging.getLogger(__name__)


class Work:
    """An import and its thread."""

    def __init__(self, import_id: str) -> None:
        self.import_id = import_id
        self.thread: threading.Thread | None = None
        self.failure: ServiceError | None = None

    def wait_a_moment(self) -> None:
        """Raises: ServiceError if the import has failed by then."""
        if self.thread is not None:
            self.thread.join(SOON_S)
        if self.failure is not None:
            raise self.failure


class BackgroundImports:
    """Each has a thread. How far it is, and how it ended, is in `store.file_imports`."""

    def __init__(self, store: Store, reader: FileReader) -> None:
        self._store = store
        self._reader = reader
        self._guard = threading.Lock()
        self._works: dict[str, Work] = {}
        self._closing = threading.Event()

    def start(
        self,
        import_id: str,
        content: bytes,
        options: ImportOptions,
        *,
        done: Callable[[], None] = lambda: None,
    ) -> Work:
        """Begins the import, unless that is under way; `done` is called once all is written.

        Raises: Overloaded
        """
        with self._guard:
            if import_id in self._works:
                return self._works[import_id]
            if len(self._works) >= MOST:
                raise Overloaded(Text("Too many imports are under way. Try again in a moment."))
            work = Work(import_id)
            if self._store.file_imports.begin(import_id):
                # Whoever acts here acts there.
                whole = partial(copy_context().run, self._carry_out, work, content, options, done)
                work.thread = threading.Thread(target=whole, daemon=True)
                self._works[import_id] = work
                work.thread.start()
            return work

    def close(self) -> None:
        """Stops all imports. What they have written stays."""
        self._closing.set()
        for work in list(self._works.values()):
            if work.thread is not None:
                work.thread.join(CLOSING_S)

    def _carry_out(
        self, work: Work, content: bytes, options: ImportOptions, done: Callable[[], None]
    ) -> None:
        result: Imported | None = None
        error: dict[str, Any] | None = None
        watch = self._store.file_imports.watch(work.import_id, self._closing.is_set)
        try:
            result = import_file(self._store, self._reader, content, options, watch)
            done()
        except Stopped:
            pass
        except ServiceError as refused:
            work.failure, error = refused, describe(refused)
        except Exception as failure:
            _log.exception("the import %s failed", work.import_id)
            error = describe(failure)
        finally:
            self._end(work, result, error)

    def _end(self, work: Work, result: Imported | None, error: dict[str, Any] | None) -> None:
        try:
            self._store.file_imports.end(work.import_id, result, error)
        except ServiceError:
            # Its lock is free, so it counts as interrupted.
            _log.exception("the end of the import %s could not be stored", work.import_id)
        finally:
            with self._guard:
                self._works.pop(work.import_id, None)
