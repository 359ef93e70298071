"""Keeps the model process alive: starts it, relays its messages, and restarts it when it fails.

It knows nothing of models and requests. A listener learns when a process is up or down.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from service.engine.protocol import HEADER_BYTES, Envelope, decode, encode, payload_size

logger = logging.getLogger(__name__)

PACKAGE_PARENT = Path(__file__).resolve().parents[3]
GRACE_S = 1.0
LONGEST_PAUSE_S = 30.0


class ProcessListener(Protocol):
    """Called on the event loop; must not block."""

    def on_up(self) -> None: ...

    def on_reports(self, envelopes: list[Envelope]) -> None: ...

    def on_down(self) -> None: ...

    def is_busy(self) -> bool:
        """Whether the process has work, so that it must send something now and then."""


class Child:
    """One model process and our end of the socket to it."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.process = process
        self._reader = reader
        self._writer = writer
        self.heard_at = time.monotonic()

    @classmethod
    async def start(cls) -> "Child":
        ours, theirs = socket.socketpair()
        # Threads meet at hundreds of barriers per token. Spinning briefly at each saves a wake-up;
        # spinning long would take the CPU from the threads that are waited for.
        environment = {"GOMP_SPINCOUNT": "1000", **os.environ}
        with theirs:
            descriptor = theirs.fileno()
            try:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "service.engine.decoding.worker", str(descriptor)),
                    pass_fds=(descriptor,),
                    stdin=asyncio.subprocess.DEVNULL,
                    cwd=PACKAGE_PARENT,
                    env=environment,
                    # Ctrl-C goes to the server alone, which then stops this process in an orderly way.
                    start_new_session=True,
                )
            except BaseException:
                ours.close()
                raise
        reader, writer = await asyncio.open_connection(sock=ours)
        return cls(process, reader, writer)

    def send(self, envelopes: Iterable[Envelope]) -> None:
        if not self._writer.is_closing():
            self._writer.write(encode(envelopes))

    async def receive(self) -> list[Envelope]:
        """The messages of the next frame.

        Raises:
            EOFError: the process has closed its end.
            OSError: the connection broke.
            ValueError: the frame cannot be read.
        """
        header = await self._reader.readexactly(HEADER_BYTES)
        payload = await self._reader.readexactly(payload_size(header))
        self.heard_at = time.monotonic()
        return decode(payload)

    def kill(self) -> None:
        # Process.kill() may reap the process before asyncio's child watcher does.
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGKILL)

    async def close(self) -> None:
        """Close the socket, which ends the process; kill it if it has not ended after `GRACE_S`."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
        try:
            await asyncio.wait_for(self.process.wait(), GRACE_S)
        except TimeoutError:
            self.kill()
            await self.process.wait()


class Supervisor:
    def __init__(self, listener: ProcessListener, *, stall_s: float) -> None:
        self._listener = listener
        self._stall_s = stall_s
        self._child: Child | None = None
        self._failures = 0
        self.restarts = 0

    @property
    def process_id(self) -> int | None:
        return self._child.process.pid if self._child is not None else None

    @property
    def is_up(self) -> bool:
        return self._child is not None

    def send(self, envelopes: Iterable[Envelope]) -> None:
        """Send messages; they are lost if the process is down, and the listener learns of that."""
        if self._child is not None:
            self._child.send(envelopes)

    def note_success(self) -> None:
        """A request finished, so the next crash counts as the first and restarts at once."""
        self._failures = 0

    async def run(self) -> None:
        """Run processes one after the other until cancelled, which closes the process."""
        while True:
            try:
                child = await Child.start()
            except OSError as error:
                logger.error("The model process cannot be started: %s", error)
            else:
                await self._serve(child)
            self._failures += 1
            self.restarts += 1
            if self._failures > 1:
                await asyncio.sleep(min(LONGEST_PAUSE_S, 0.5 * 2 ** (self._failures - 2)))

    async def _serve(self, child: Child) -> None:
        watchdog = asyncio.create_task(self._watch(child))
        try:
            self._child = child
            self._listener.on_up()
            # A frame that cannot be read means that the process is broken.
            with contextlib.suppress(EOFError, OSError, ValueError):
                while True:
                    self._listener.on_reports(await child.receive())
        finally:
            self._child = None
            watchdog.cancel()
            await child.close()
        logger.warning("The model process ended with status %s.", child.process.returncode)
        self._listener.on_down()

    async def _watch(self, child: Child) -> None:
        while True:
            await asyncio.sleep(min(1.0, self._stall_s / 4))
            if not self._listener.is_busy():
                child.heard_at = time.monotonic()
            elif time.monotonic() - child.heard_at > self._stall_s:
                logger.error("The model process was silent for %.0f s; killing it.", self._stall_s)
                child.kill()
                return
