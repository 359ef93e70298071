"""Messages that pages show for invalid input: pydantic's errors as translatable texts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError

from service.messages import Text

FIELDS = {
    "body": Text("Text"),
    "context": Text("Background"),
    "creativity": Text("Creativity"),
    "goal": Text("Goal"),
    "instruction": Text("Wish"),
    "method": Text("Method"),
    "n": Text("Ideas"),
    "name": Text("Name"),
    "pairs": Text("Pairs"),
    "sort": Text("Sort by"),
    "status": Text("Status"),
    "tags": Text("Tags"),
    "title": Text("Title"),
    "topic": Text("Topic"),
}


def said(error: RequestValidationError) -> Text:
    """The first error, with the field's label on the page."""
    first: Mapping[str, Any] = error.errors()[0]
    field = _field(first["loc"])
    return Text("%(field)s: %(problem)s.", field=field, problem=_problem(first))


def _field(place: Sequence[int | str]) -> str:
    names = [str(part) for part in place[1:]]
    return next(
        (FIELDS[name] for name in names if name in FIELDS), ".".join(names) or Text("Input")
    )


def _problem(finding: Mapping[str, Any]) -> str:
    make = PROBLEMS.get(finding["type"])
    return str(finding["msg"]) if make is None else make(finding.get("ctx", {}), finding["input"])


def _too_long(facts: Mapping[str, Any], value: Any) -> str:
    if isinstance(value, str):
        return Text("must have at most %(most)s characters", most=facts["max_length"])
    return Text("must have at most %(most)s entries", most=facts["max_length"])


def _reason(facts: Mapping[str, Any], _: Any) -> str:
    """The message of a ValueError that one of our validators raised."""
    (reason,) = facts["error"].args
    return reason if isinstance(reason, str) else str(reason)


PROBLEMS: Mapping[str, Callable[[Mapping[str, Any], Any], str]] = {
    "missing": lambda *_: Text("is missing"),
    "string_too_long": _too_long,
    "too_long": _too_long,
    "greater_than_equal": lambda facts, _: Text("must be at least %(least)s", least=facts["ge"]),
    "less_than_equal": lambda facts, _: Text("must be at most %(most)s", most=facts["le"]),
    "int_parsing": lambda *_: Text("must be a whole number"),
    "int_type": lambda *_: Text("must be a whole number"),
    "int_from_float": lambda *_: Text("must be a whole number"),
    "float_parsing": lambda *_: Text("must be a number"),
    "literal_error": lambda facts, _: Text("must be one of %(names)s", names=facts["expected"]),
    "value_error": _reason,
}
