"""Reads files that are imported. A hostile one can stop only the process that reads it, not the server."""

import contextlib
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from service.errors import InvalidArchive, InvalidFile, InvalidInput
from service.messages import Text
from service.schemas.archive import Archive
from service.schemas.imports import Groups, Nested, ParsedFile, TextFormat
from service.transfer.reading_process import Job, Part

PACKAGE_PARENT = Path(__file__).resolve().parents[2]
MIB = 2**20


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """What one file may take. `elapsed_s` is longer than `cpu_s`, for a server with other work."""

    cpu_s: float = 60.0
    elapsed_s: float = 240.0
    memory_bytes: int = 1024 * MIB
    output_bytes: int = 256 * MIB
    at_once: int = 2


class FileReader:
    def __init__(self, limits: ReadingLimits | None = None) -> None:
        self._limits = limits or ReadingLimits()
        self._turns = threading.BoundedSemaphore(self._limits.at_once)

    def archive(self, content: bytes) -> Archive:
        """Reads JSON.

        Raises:
            InvalidArchive: it is not an archive of Ideapool.
            InvalidInput: it takes too much time or memory.
        """
        job = Job("json", self._limits.cpu_s, self._limits.memory_bytes)
        # The other process has validated each row.
        return Archive.model_construct(**self._read(content, job))

    def parsed(
        self,
        content: bytes,
        format: TextFormat,
        *,
        groups: Groups = "boards",
        nested: Nested = "body",
        title_limit: int = 200,
        columns: Mapping[str, str] = MappingProxyType({}),
    ) -> ParsedFile:
        """Reads a text file as `readers.read` does.

        Raises:
            InvalidFile: names the line, the column and the problem of each fault.
            InvalidInput: there is no such column, or the file takes too much time or memory.
        """
        job = Job(
            *(format, self._limits.cpu_s, self._limits.memory_bytes),
            groups=groups,
            nested=nested,
            title_limit=title_limit,
            # A proxy of a mapping cannot be pickled.
            columns=dict(columns),
        )
        return ParsedFile(**self._read(content, job))

    def _read(self, content: bytes, job: Job) -> dict[str, Any]:
        with self._turns, _process(self._limits.elapsed_s) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            # It may have ended already. Then its status says why.
            with contextlib.suppress(BrokenPipeError), process.stdin as target:
                pickle.dump(job, target)
                target.write(content)
            return _collect(
                _parts(_Bounded(process.stdout, self._limits.output_bytes), process.wait)
            )


@contextmanager
def _process(elapsed_s: float) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "service.transfer.reading_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=PACKAGE_PARENT,
        # Ctrl-C goes to this process alone, which then ends the other one.
        start_new_session=True,
    )
    end = threading.Timer(elapsed_s, process.kill)
    end.start()
    try:
        yield process
    finally:
        end.cancel()
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        process.wait()


class _Bounded:
    """A file for `pickle` that ends the reading of an answer that is too large."""

    def __init__(self, source: IO[bytes], most: int) -> None:
        self._source = source
        self._left = most

    def read(self, size: int) -> bytes:
        self._left -= size
        if self._left < 0:
            raise _too_large()
        return self._source.read(size)

    def readline(self) -> bytes:
        return self._source.readline(MIB)


def _parts(source: _Bounded, status: Callable[[], int]) -> Iterator[Part]:
    while True:
        try:
            part = Part(*pickle.load(source))
        except (EOFError, pickle.UnpicklingError) as error:
            raise _ended(status()) from error
        if part.kind == "done":
            return
        yield part


def _collect(parts: Iterator[Part]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for part in parts:
        if part.kind == "value":
            values[part.name] = part.content
        elif part.kind == "rows":
            rows = values[part.name]
            (rows.update if isinstance(rows, dict) else rows.extend)(part.content)
        else:
            raise _fault(part)
    return values


def _fault(part: Part) -> InvalidInput:
    if part.kind == "file":
        return InvalidFile(part.content)
    if part.kind == "archive":
        return InvalidArchive(part.content)
    if part.kind == "input":
        return InvalidInput(part.content, pointer=part.name or None)
    if part.kind == "deep":
        return InvalidInput(Text("This file is nested too deeply. Nothing was imported."))
    return _too_large()


def _ended(status: int) -> InvalidInput:
    if -status in (signal.SIGPROF, signal.SIGKILL):
        return InvalidInput(
            Text("This file takes too long to read. Split it into several. Nothing was imported.")
        )
    return _too_large()


def _too_large() -> InvalidInput:
    return InvalidInput(
        Text(
            "This file takes too much memory to read. Split it into several. Nothing was imported."
        )
    )
