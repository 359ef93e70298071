"""Holds a refused form as it was sent, so that its page can show it again.

It knows neither HTTP nor templates, and does not decide what is wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Alert:
    """It says what is wrong with a form as a whole, or with something that the page does not show."""

    title: str
    detail: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The form was sent to `path` and stood on the page `address`. `values` are what its fields held, and
    `problems` say what is wrong, both by the field's name. `placed` names the problems that the page
    has shown.
    """

    path: str = ""
    address: str = ""
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    alert: Alert | None = None
    placed: set[str] = field(default_factory=set)

    def form(self, *paths: str, having: str = "", without: str = "") -> "SentForm":
        """The form that a template sends to one of these paths; it is a new one unless it was refused.
        A field tells apart two forms with one path: one form is `having` it, the other `without`.
        """
        is_it = self.path in paths and without not in self.values
        return SentForm(self if is_it and (not having or having in self.values) else None)

    @property
    def is_placed(self) -> bool:
        return self.placed >= set(self.problems)


@dataclass(frozen=True, slots=True)
class SentForm:
    """A template asks it what to write into a form. Without a refusal, the form is a new one."""

    refusal: Refusal | None

    @property
    def is_refused(self) -> bool:
        return self.refusal is not None

    def value(self, name: str, default: object = "", *, place: int = 0) -> object:
        """The text that the field held. `place` counts the fields of that name."""
        values = () if self.refusal is None else self.refusal.values.get(name, ())
        return values[place] if place < len(values) else default

    def holds(self, name: str, value: str, *, default: bool = False) -> bool:
        """Whether the box or the option was chosen."""
        return default if self.refusal is None else value in self.refusal.values.get(name, ())

    def problem(self, name: str) -> str:
        """The text for beside the field; from now on it counts as shown."""
        problem = "" if self.refusal is None else self.refusal.problems.get(name, "")
        if problem and self.refusal is not None:
            self.refusal.placed.add(name)
        return problem

    def is_first(self, name: str) -> bool:
        """Whether this is the first field with a problem, which gets the focus."""
        return self.refusal is not None and name == next(iter(self.refusal.problems), None)


NOTHING_REFUSED = Refusal()
