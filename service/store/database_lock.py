"""Only one process may open the database; a second one is refused and learns which one has it.

The lock is `flock` on a file beside the database, so it ends with its process, however that ends.
The content of the file is only for people. A database that is not a file cannot be locked: each of
several servers on it would mark the runs of the others as interrupted when it starts.
"""

import errno
import fcntl
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from service.errors import Conflict, StorageUnavailable
from service.messages import Text
from service.store.private_files import PRIVATE, private_folder

# File systems without locks, such as some network shares, answer with one of these.
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
_log = logging.getLogger(__name__)


def lock_path(database: Path) -> Path:
    # Two names of a file, by a link, must lead to one lock.
    file = database.resolve()
    return file.with_name(f"{file.name}.lock")


@contextmanager
def database_lock(database: Path | None) -> Iterator[None]:
    """Locks the database until the end of the block; None means that it is not a file.

    Raises:
        Conflict: another process has the database open.
        StorageUnavailable: the lock file cannot be written.
    """
    if database is None:
        yield
        return
    path = lock_path(database)
    try:
        private_folder(path.parent)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
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
        # Only people read it, and a full disk must not keep them from their ideas.
        with suppress(OSError):
            os.ftruncate(file, 0)
            os.write(file, f"{os.getpid()} {_command()}\n".encode())
        yield
    finally:
        os.close(file)


def lock_holder(database: Path) -> str | None:
    """Describes the process that has the database open; None if there is none."""
    path = lock_path(database)
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _describe_holder(file)
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
                "The database %(database)s is in use by %(process)s. Stop it first, or use "
                "another folder (IDEAPOOL_DATA_DIR).",
                database=database,
                process=_describe_holder(file),
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
            "%s is on a file system without locks. Make sure that only one process uses it.",
            database,
        )


def _describe_holder(file: int) -> str:
    process, _, command = os.pread(file, 500, 0).decode(errors="replace").strip().partition(" ")
    return f"process {process} (`{command}`)" if command else "another process"


def _command() -> str:
    """Returns how this process was started, without arguments that may be secret: `ideapool serve`."""
    path = Path(sys.argv[0])
    # `python -m service` is the same program.
    name = "ideapool" if path.parts[-2:] == ("service", "__main__.py") else path.name
    return " ".join([name or "python", *sys.argv[1:2]])
