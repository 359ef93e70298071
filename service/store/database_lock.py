"""One process at a time works on a database file: whoever comes second is told who has it.

The lock is `flock` on a file beside the database, so it ends with its process, however that ends;
what the file says is only for people. A database by URL has no file: several servers on one would
each mark the runs of the others as interrupted at their start, and nothing here keeps them apart.
"""

import errno
import fcntl
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.errors import Conflict, StorageUnavailable
from service.messages import Text

# File systems that know no such lock, as some network shares, say one of these.
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
_log = logging.getLogger(__name__)


def lock_path(database: Path) -> Path:
    return database.with_name(f"{database.name}.lock")


@contextmanager
def occupied(database: Path | None) -> Iterator[None]:
    """Nobody else works on the database until the end of the block. None is for one by URL.

    Raises:
        Conflict: another process does.
        StorageUnavailable: the lock's file cannot be written.
    """
    if database is None:
        yield
        return
    path = lock_path(database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StorageUnavailable(
            Text(
                "%(path)s cannot be written: %(strerror)s. Is the folder writable?",
                path=path,
                strerror=error.strerror,
            )
        ) from error
    try:
        _lock(file, database)
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()} {_command()}\n".encode())
        yield
    finally:
        os.close(file)


def occupant(database: Path) -> str | None:
    """Who works on the database, in words; None if nobody does."""
    path = lock_path(database)
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _told(file)
    except OSError:
        return None
    finally:
        os.close(file)
    return None


def _lock(file: int, database: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Conflict(
            Text(
                "The database %(database)s is in use by %(told)s. Stop it first, or use "
                "another folder (IDEAPOOL_DATA_DIR).",
                database=database,
                told=_told(file),
            )
        ) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise StorageUnavailable(
                Text(
                    "%(database)s cannot be locked: %(strerror)s.",
                    database=database,
                    strerror=error.strerror,
                )
            ) from error
        _log.warning(
            "%s is on a file system without locks: see to it that only one process uses it",
            database,
        )


def _told(file: int) -> str:
    process, _, command = os.pread(file, 500, 0).decode(errors="replace").strip().partition(" ")
    return f"process {process} (`{command}`)" if command else "another process"


def _command() -> str:
    """How this process was started, without what may be secret: `ideapool serve`."""
    path = Path(sys.argv[0])
    # `python -m service` is the same program.
    name = "ideapool" if path.parts[-2:] == ("service", "__main__.py") else path.name
    return " ".join([name or "python", *sys.argv[1:2]])
