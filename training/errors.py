"""What a job tells whoever started it: its progress, and every error it raises on purpose.

TrainingError
├── ConfigProblems    a config cannot work; lists all that is wrong with it
├── DataProblem       a record cannot be used; names the file and the row
├── BaseMismatch      a file is not the base the adapter, head or config was made for
├── ExportFailed      what was exported is missing, broken or unlike the trained model
└── JudgeFailed       a judge or teacher cannot be reached or answers out of form
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from service.errors import ServiceError

Report = Callable[[str], None]
"""Takes one line on how far a job is."""


class TrainingError(ServiceError):
    pass


class ConfigProblems(TrainingError):
    """`problems` name the key each is about."""

    def __init__(self, config: str, problems: Sequence[str]) -> None:
        listing = "".join(f"\n  - {problem}" for problem in problems)
        super().__init__(f"{config} cannot be used:{listing}")
        self.config = config
        self.problems = tuple(problems)


class DataProblem(TrainingError):
    """`row` counts the lines of a file from 1, or is the record's id."""

    def __init__(
        self, detail: str, *, path: Path | str | None = None, row: int | str | None = None
    ) -> None:
        place = " ".join(
            f"{name} {value}" for name, value in (("", path), ("row", row)) if value is not None
        ).strip()
        super().__init__(f"{place}: {detail}" if place else detail)
        self.path = path
        self.row = row


class BaseMismatch(TrainingError):
    pass


class ExportFailed(TrainingError):
    pass


class JudgeFailed(TrainingError):
    pass
