"""The errors that training raises on purpose, and the type of its progress reports.

TrainingError
├── ConfigProblems    a config cannot be used; lists every problem
├── DataProblem       a record cannot be used; names the file and the row
├── BaseMismatch      a base is not the one that an adapter, head or config was made for
├── ExportFailed      an exported file is missing, broken or differs from the trained model
└── JudgeFailed       a judge or teacher cannot be reached, or its answer cannot be read
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from service.errors import ServiceError

Report = Callable[[str], None]
"""Takes one line about the progress of a job."""


class TrainingError(ServiceError):
    pass


class ConfigProblems(TrainingError):
    """Each of the `problems` names the key it is about."""

    def __init__(self, config: str, problems: Sequence[str]) -> None:
        listing = "".join(f"\n  - {problem}" for problem in problems)
        super().__init__(f"{config} cannot be used:{listing}")
        self.config = config
        self.problems = tuple(problems)


class DataProblem(TrainingError):
    """`row` is the number of a line, from 1, or the id of a record."""

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
