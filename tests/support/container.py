"""Runs a program in a folder as if that were a container: its own root, mounts, processes and network.

It needs root, and `unshare`, `nsenter`, `setpriv` and `mount` of util-linux. The network has nothing
but a loopback interface, so whatever wants the internet fails.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

# Of this machine: what a base image has.
SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "usr", "etc")
START_S = 60
# $1 is the root and $2 how to mount it; then a line for each mount: source, target, mode.
ENTER = """
set -eu
root=$1 mode=$2
shift 2
mount --bind "$root" "$root"
while [ "$1" != -- ]; do
    mount --bind "$1" "$root$2"
    if [ "$3" = ro ]; then mount -o remount,bind,ro "$root$2"; fi
    shift 3
done
shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -o "remount,bind,$mode" "$root"
python=$1
shift
"$python" -c '
import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 1))'
exec chroot "$root" "$@"
"""


@dataclass(frozen=True, slots=True)
class Process:
    """What runs in the container: `user` is `uid:gid`; nothing of this machine's environment."""

    command: Sequence[str]
    environment: Mapping[str, str]
    workdir: str = "/"
    user: str = "0:0"

    def arguments(self) -> list[str]:
        uid, _, gid = self.user.partition(":")
        confined = [] if uid == "0" else ["--bounding-set=-all", "--inh-caps=-all"]
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        return [
            *("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs"),
            *confined,
            *("env", "-i", "-C", self.workdir, *variables, *self.command),
        ]


@dataclass(frozen=True, slots=True)
class Container:
    """`mounts` has for each place in the container a folder of this machine and `ro` or `rw`."""

    root: Path
    mounts: Mapping[str, tuple[Path, str]] = field(default_factory=dict)
    is_read_only: bool = False

    def run(self, process: Process) -> str:
        """Runs it to its end and returns what it printed. Raises: RuntimeError if it fails."""
        done = subprocess.run(
            self._command(process), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode:
            raise RuntimeError(f"{process.command} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    @contextmanager
    def started(self, process: Process, log: IO[bytes]) -> Iterator["Running"]:
        """It is process 1 of the container, and is killed at the end of the block if it still runs."""
        command = self._command(process)
        with subprocess.Popen(command, stdout=log, stderr=log) as outside:
            try:
                yield Running(outside, self.root)
            finally:
                outside.kill()

    def _command(self, process: Process) -> list[str]:
        mounts = {**_system_mounts(), **self.mounts}
        for place in (*mounts, "/proc", "/dev", "/tmp"):
            (self.root / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
        for name in SYSTEM:
            link = Path("/", name)
            if link.is_symlink() and not (self.root / name).is_symlink():
                (self.root / name).symlink_to(link.readlink())
        listed = [
            word for place, (source, mode) in mounts.items() for word in (str(source), place, mode)
        ]
        return [
            *("unshare", "--mount", "--pid", "--net", "--fork", "--kill-child"),
            *("sh", "-c", ENTER, "sh", str(self.root), "ro" if self.is_read_only else "rw"),
            *(*listed, "--", "python3", *process.arguments()),
        ]


class Running:
    """A container that runs."""

    def __init__(self, outside: "subprocess.Popen[bytes]", root: Path) -> None:
        self._outside = outside
        self._root = root

    def run(self, process: Process) -> "subprocess.CompletedProcess[str]":
        """Runs another program in the same container, as `docker exec` does."""
        enter = ["nsenter", f"--target={self._first()}", "--mount", "--pid", "--net", "--root"]
        return subprocess.run(
            [*enter, *process.arguments()], capture_output=True, text=True, check=False
        )

    @property
    def has_ended(self) -> bool:
        return self._outside.poll() is not None

    def stop(self, name: str, timeout_s: float) -> int:
        """Sends the signal to process 1 and returns its exit status, as a shell counts it."""
        os.kill(self._first(), signal.Signals[name])
        status = self._outside.wait(timeout_s)
        return status if status >= 0 else 128 - status

    def _first(self) -> int:
        """The id that process 1 of the container has outside of it, once it is inside."""
        pid = self._outside.pid
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and not self.has_ended:
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                if Path(f"/proc/{child}/root").samefile(self._root):
                    return int(child)
            time.sleep(0.01)
        raise RuntimeError("The container has ended, or did not start.")


def _system_mounts() -> dict[str, tuple[Path, str]]:
    folders = (Path("/", name) for name in SYSTEM)
    return {str(one): (one, "ro") for one in folders if one.is_dir() and not one.is_symlink()}
