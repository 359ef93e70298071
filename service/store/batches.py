"""Writes what an import adds in short transactions, because others may write only in between.

What is stored stays if the import is stopped or breaks off. Each step looks for itself what is there
already, so that the same import adds the rest when it is repeated.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from service.errors import Conflict, StorageUnavailable
from service.messages import Text
from service.store.database import Database

T = TypeVar("T")
# A transaction takes no further step after this time. A step takes a few milliseconds, and so does the
# commit: together that keeps well below the 100 ms that others may have to wait.
BATCH_S = 0.04
# Somebody who waits needs a moment to notice that it is their turn.
PAUSE_S = 0.004
# The most rows of a kind in one step.
ROWS = 20
# The first transaction goes on until it has so many ideas or steps, however long that takes. So a small
# file of new ideas is stored as a whole or not at all.
FIRST_IDEAS, FIRST_STEPS = 100, 12

# Writes a part of the import; returns how many ideas of the file it has done with.
Step = Callable[[Session], int]


class Stopped(Exception):
    """The import was stopped before it was done."""


class Watch(Protocol):
    """Who shows how far an import is, and may stop it."""

    def begin(self, total: int) -> None:
        """The file is read, and so many of its ideas are to be written."""

    def goes_on(self, session: Session, written: int) -> bool:
        """Is called last in each transaction. After False the import stops, unless it is done."""


class Unwatched:
    def begin(self, total: int) -> None:
        pass

    def goes_on(self, session: Session, written: int) -> bool:  # noqa: ARG002
        return True


class Batches:
    """The transactions of one import, which writes `total` ideas."""

    def __init__(self, database: Database, watch: Watch, total: int) -> None:
        self._database = database
        self._watch = watch
        self._total = total
        self._written = 0
        self._is_first = True
        watch.begin(total)

    def write(self, steps: Iterable[Step]) -> None:
        """Takes all steps in their order.

        Raises:
            Stopped: the watch said so.
            Conflict: something was deleted for good to which the file refers.
            StorageUnavailable: the database cannot be used any more.
        """
        waiting = deque(steps)
        while waiting:
            if not self._write_batch(waiting) and waiting:
                raise Stopped
            if waiting:
                pause()

    def _write_batch(self, waiting: deque[Step]) -> bool:
        written = self._written
        try:
            with self._database.write() as session:
                written += self._take_steps(session, waiting)
                goes_on = self._watch.goes_on(session, written)
        except IntegrityError as error:
            raise self._broken_off(Conflict) from error
        except StorageUnavailable as error:
            if self._is_first:
                raise
            raise self._broken_off(StorageUnavailable) from error
        self._written, self._is_first = written, False
        return goes_on

    def _take_steps(self, session: Session, waiting: deque[Step]) -> int:
        until = time.monotonic() + BATCH_S
        written, taken = 0, 0
        while waiting:
            written += waiting.popleft()(session)
            taken += 1
            is_small = self._is_first and written < FIRST_IDEAS and taken < FIRST_STEPS
            if not is_small and time.monotonic() >= until:
                break
        return written

    def _broken_off(
        self, error: type[Conflict] | type[StorageUnavailable]
    ) -> Conflict | StorageUnavailable:
        why = Text("The database cannot be used right now.")
        if error is Conflict:
            why = Text("Something that this file refers to was deleted meanwhile.")
        return error(
            Text(
                "%(why)s %(written)s of %(total)s ideas were imported. Import the file again to add "
                "the rest.",
                why=why,
                written=self._written,
                total=self._total,
            )
        )


def pause() -> None:
    time.sleep(PAUSE_S)


def parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[start : start + ROWS] for start in range(0, len(values), ROWS))
