"""A server whose data folder is a small disk of its own, which can be filled and emptied.

The disk is a file system in memory that exists only in a mount namespace of its own: nothing of the
machine's mounts changes, and it is gone with its last process. It needs root, or user namespaces.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support.app_server import Server, running

MOUNT = 'mount -t tmpfs -o size="$2",mode=700 tmpfs "$1" && echo mounted && exec sleep infinity'
BALLAST = "ballast"


class DiskRefused(Exception):
    """This machine does not let the tests mount anything."""


class DiskServer(Server):
    def __init__(self, folder: Path, disk: Path, holder: int, **environment: str) -> None:
        super().__init__(folder, IDEAPOOL_DATA_DIR=str(disk), **environment)
        # What a process of the namespace has below its root is seen from here.
        self.disk = Path(f"/proc/{holder}/root") / disk.relative_to("/")
        self.command = (
            *("nsenter", f"--target={holder}", "--mount", *_user(holder), f"--wd={os.getcwd()}"),
            *(sys.executable, "-m", "service", "serve"),
        )

    def fill(self, spare_bytes: int = 0) -> None:
        """Leaves so many bytes free."""
        free = os.statvfs(self.disk)
        size = max(0, free.f_bavail * free.f_frsize - spare_bytes)
        with (self.disk / BALLAST).open("ab") as ballast, contextlib.suppress(OSError):
            ballast.write(bytes(size))

    def empty(self) -> None:
        (self.disk / BALLAST).unlink(missing_ok=True)


@contextlib.contextmanager
def on_small_disk(folder: Path, size: str, **environment: str) -> Iterator[DiskServer]:
    """Raises: DiskRefused."""
    disk = folder / "disk"
    disk.mkdir()
    unshare = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    try:
        holder = subprocess.Popen(
            [*unshare, "sh", "-c", MOUNT, "sh", str(disk), size],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    except FileNotFoundError as error:
        raise DiskRefused(str(error)) from error
    assert holder.stdout is not None
    try:
        said = holder.stdout.readline().strip()
        if said != "mounted":
            raise DiskRefused(said)
        with running(DiskServer(folder, disk, holder.pid, **environment)) as server:
            assert isinstance(server, DiskServer)
            yield server
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def _user(holder: int) -> tuple[str, ...]:
    """Whether the namespace has users of its own: then its root is entered too."""
    own, theirs = (os.readlink(f"/proc/{one}/ns/user") for one in ("self", holder))
    return () if own == theirs else ("--user", "--preserve-credentials")
