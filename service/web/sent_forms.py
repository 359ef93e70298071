"""Holds a refused form as it was sent, so that its page can show it again.

It knows neither HTTP nor templates, and does not decide what is wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Alert:
    """A problem of a whole form, or of a field that the page does not show."""

    title: str
    detail: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A form that was sent to `path` from the page `address`, and was refused.

    `values` and `problems` are by the name of the field. Rendering the page adds the names of the
    problems that it shows to `shown`.
    """

    path: str = ""
    address: str = ""
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    alert: Alert | None = None
    shown: set[str] = field(default_factory=set)

    def form(self, *paths: str, having: str = "", without: str = "") -> "SentForm":
        """The form that a template sends to one of `paths`; a new form unless it was refused.

        If two forms have the same path, a field tells them apart: only one is `having` it, and the
        other is `without` it.
        """
        is_it = self.path in paths and without not in self.values
        return SentForm(self if is_it and (not having or having in self.values) else None)

    @property
    def is_shown(self) -> bool:
        return self.shown >= set(self.problems)


@dataclass(frozen=True, slots=True)
class SentForm:
    """The values and problems of a form, for its template. Without a refusal the form is new."""

    refusal: Refusal | None

    @property
    def is_refused(self) -> bool:
        return self.refusal is not None

    def value(self, name: str, default: object = "", *, place: int = 0) -> object:
        """The text that was sent. `place` is the index among fields of the same name."""
        values = () if self.refusal is None else self.refusal.values.get(name, ())
        return values[place] if place < len(values) else default

    def holds(self, name: str, value: str, *, default: bool = False) -> bool:
        """Whether the checkbox was ticked or the option was chosen."""
        return default if self.refusal is None else value in self.refusal.values.get(name, ())

    def problem(self, name: str) -> str:
        """The problem of the field, or an empty text. Marks the problem as shown."""
        problem = "" if self.refusal is None else self.refusal.problems.get(name, "")
        if problem and self.refusal is not None:
            self.refusal.shown.add(name)
        return problem

    def is_first(self, name: str) -> bool:
        """Whether this is the first field with a problem, which gets the focus."""
        return self.refusal is not None and name == next(iter(self.refusal.problems), None)


NO_REFUSAL = Refusal()
