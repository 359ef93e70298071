"""Writing whole files: atomic renames and, for the folder of model files, a lock and disk space."""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from service.engine.files.checksums import remember_sha256
from service.errors import ModelUnavailable

POLL_S = 0.25
SPARE_BYTES = 64 * 1024 * 1024


@contextlib.contextmanager
def folder_lock(folder: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the folder's lock, which the system releases when its holder ends.

    `on_wait` is called again and again while another process holds the lock.
    """
    with (folder / ".lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                on_wait()
                time.sleep(POLL_S)
        yield


def require_disk_space(folder: Path, size_bytes: int, purpose: str) -> None:
    """Raises ModelUnavailable unless that much space, and a reserve, is free on the folder's disk."""
    needed, free = size_bytes + SPARE_BYTES, shutil.disk_usage(folder).free
    if free < needed:
        raise ModelUnavailable(
            f"{folder} has {free / 1e9:.1f} GB free, and {purpose} needs {needed / 1e9:.1f} GB. "
            "Free some space."
        )


def move_into_place(part: Path, target: Path, sha256: str) -> None:
    """Rename a finished file to its final name; not even a power cut leaves half of it there."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    # File times in a container image are whole seconds, and the saved hash is valid for one time.
    os.utime(part, (int(time.time()),) * 2)
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    remember_sha256(target, sha256)
