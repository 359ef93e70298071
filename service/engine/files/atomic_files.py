"""The folder of model files: one writer at a time, room on its disk, files that appear whole."""

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
def sole_writer(folder: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Holds the folder's lock, which the system frees when its holder dies."""
    with (folder / ".lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                on_wait()
                time.sleep(POLL_S)
        yield


def require_room(folder: Path, size_bytes: int, purpose: str) -> None:
    """Raises ModelUnavailable if so much, and some to spare, is not free on the folder's disk."""
    needed, free = size_bytes + SPARE_BYTES, shutil.disk_usage(folder).free
    if free < needed:
        raise ModelUnavailable(
            f"{folder} has {free / 1e9:.1f} GB free; {purpose} needs {needed / 1e9:.1f} GB."
        )


def put_in_place(part: Path, target: Path, sha256: str) -> None:
    """Rename a finished file to its name, so that not even a power cut leaves half of it there."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    # In an image files have whole seconds, and a remembered hash counts only for the same time.
    os.utime(part, (int(time.time()),) * 2)
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    remember_sha256(target, sha256)
