"""The row: a chat whose answer is learnt, with its source and licence. Knows no tokenizer."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from service.engine.files.atomic_write import replacing
from service.engine.types import Message
from training.errors import DataProblem

OWN_TASKS = ("brainstorm", "refine", "evaluate")
"""The tasks of the service; their rows are rendered by its prompts."""


def name_of(path: Path) -> str:
    """The name of a file with that of its folder, as several folders have files of one name."""
    return f"{path.parent.name}/{path.name}"


@dataclass(frozen=True, slots=True)
class Row:
    """`messages` ends with the answer; `answers` says which turns of the assistant are learnt.

    Rows of one `group` stay in one split. A higher `grade` marks a better answer to a prompt.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    id: str
    task: str
    messages: tuple[Message, ...]
    source: str
    licence: str
    group: str
    answers: Literal["last", "all"] = "last"
    grade: float | None = None

    @property
    def answer(self) -> str:
        return self.messages[-1].content

    @property
    def prompt(self) -> tuple[Message, ...]:
        return self.messages[:-1]


@dataclass(frozen=True, slots=True)
class Dropped:
    """`reason` is the same text for all rows that were dropped for it; `detail` is the row's own."""

    row: Row
    reason: str
    detail: str = ""


_ROW = TypeAdapter(Row)


def write_rows(path: Path, rows: Iterable[Row]) -> str:
    """Writes the file atomically and returns its SHA-256."""
    digest = hashlib.sha256()
    with replacing(path) as draft, draft.open("wb") as file:
        for row in rows:
            fields = asdict(row)
            if row.grade is None:
                del fields["grade"]
            line = json.dumps(fields, ensure_ascii=False).encode() + b"\n"
            digest.update(line)
            file.write(line)
    return digest.hexdigest()


def read_rows(path: Path) -> tuple[Row, ...]:
    """Raises `DataProblem` for a missing file, or for a line that is not a row, which it names."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DataProblem(f"cannot be read: {error.strerror}.", path=path) from error
    rows: list[Row] = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(_ROW.validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the line"
            raise DataProblem(f"{where}: {first['msg']}.", path=path, row=number) from error
    return tuple(rows)
