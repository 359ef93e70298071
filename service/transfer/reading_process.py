"""Reads one file in a process of its own, within limits. `file_reader` starts it and reads its answer.

It reads a pickled `Job` and then the file from its input, and writes pickled `Part`s to its output.
"""

import os
import pickle
import resource
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, BinaryIO, Literal, NamedTuple

from pydantic import ValidationError

from service.errors import InvalidFile, InvalidInput
from service.schemas.imports import Groups, ImportFormat, Nested
from service.transfer.readers import read

SHOWN_PROBLEMS = 20
# Between two parts other threads of the server get their turn.
PART_ROWS = 500


@dataclass(frozen=True, slots=True)
class Job:
    """What to read, and how much it may take; `memory_bytes` comes on top of what the process has."""

    format: ImportFormat
    cpu_s: float
    memory_bytes: int
    groups: Groups = "boards"
    nested: Nested = "body"
    title_limit: int = 200
    columns: Mapping[str, str] = field(default_factory=dict)


class Part(NamedTuple):
    """Rows of the list or the table `name`, its whole value, or what ended the reading."""

    kind: Literal["rows", "value", "done", "file", "input", "archive", "memory", "deep"]
    name: str = ""
    content: Any = None


def parts_of(job: Job, content: bytes) -> Iterator[Part]:
    """Reads the file; what is wrong with it is the last part."""
    try:
        yield from _result(job, content)
        yield Part("done")
    except InvalidFile as error:
        yield Part("file", content=error.places)
    except InvalidInput as error:
        yield Part("input", error.pointer or "", error.detail)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        yield Part("archive", content=problems[:SHOWN_PROBLEMS])
    except MemoryError:
        yield Part("memory")
    except RecursionError:
        yield Part("deep")


def _result(job: Job, content: bytes) -> Iterator[Part]:
    if job.format == "json":
        # It takes as long to import as the rest of the process.
        from service.schemas.archive import Archive

        archive = Archive.model_validate_json(content)
        values = {name: getattr(archive, name) for name in Archive.model_fields}
    else:
        parsed = read(
            content,
            job.format,
            groups=job.groups,
            nested=job.nested,
            title_limit=job.title_limit,
            columns=job.columns,
        )
        values = {one.name: getattr(parsed, one.name) for one in fields(parsed)}
    for name, value in values.items():
        yield from _in_parts(name, value)


def _in_parts(name: str, value: Any) -> Iterator[Part]:
    if not isinstance(value, list | dict):
        yield Part("value", name, value)
        return
    yield Part("value", name, type(value)())
    rows = list(value.items()) if isinstance(value, dict) else value
    for begin in range(0, len(rows), PART_ROWS):
        yield Part("rows", name, rows[begin : begin + PART_ROWS])


def _limit(job: Job) -> None:
    with open("/proc/self/statm", encoding="ascii") as sizes:
        taken = int(sizes.read().split()[0]) * resource.getpagesize()
    most = taken + job.memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Its signal ends the process, also within a regular expression.
    signal.setitimer(signal.ITIMER_PROF, job.cpu_s)


def main(source: BinaryIO, target: BinaryIO) -> None:
    job: Job = pickle.load(source)
    _limit(job)
    try:
        content = source.read()
    except MemoryError:
        pickle.dump(tuple(Part("memory")), target)
        return
    for part in parts_of(job, content):
        pickle.dump(tuple(part), target)


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
    sys.stdout.buffer.flush()
    # To take the tree of a large file apart takes as long as to read it.
    os._exit(0)
