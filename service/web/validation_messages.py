"""Messages that pages show for invalid input: pydantic's errors as translatable texts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError

from service.errors import Conflict, InvalidInput
from service.messages import Text
from service.schemas.fields import BLANK
from service.store.limits import Limits

# Longer tags are shortened in messages.
QUOTED = 24
FIELDS = {
    "body": Text("Text"),
    "context": Text("Background"),
    "creativity": Text("Creativity"),
    "goal": Text("Goal"),
    "instruction": Text("Instruction"),
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


# Forms repeat these fields in rows. Any other list comes from one field or from checkboxes.
ROWS = frozenset({"criterion", "description", "weight", "title"})
# Fields of the API that have another name in forms.
FORM_NAMES = {"rubric_id": "rubric", "idea_ids": "idea", "ids": "idea", "start": "selection"}


def error_summary(error: RequestValidationError) -> Text:
    """The first error, with the field's label on the page."""
    first: Mapping[str, Any] = error.errors()[0]
    names = [str(part) for part in first["loc"][1:]]
    known = next((FIELDS[name] for name in names if name in FIELDS), None)
    field = known or ".".join(names) or Text("Input")
    return Text("%(field)s: %(problem)s", field=field, problem=_problem(first))


def problems(
    error: RequestValidationError | InvalidInput | Conflict, limits: Limits
) -> dict[str, str]:
    """The first problem of each field, by the name that the field has in its form.

    Fields in rows have an index in their name, such as `criterion.2`. The name of a problem that
    belongs to no field is empty.
    """
    if not isinstance(error, RequestValidationError):
        path = (error.pointer or "").strip("/").split("/")
        return {_name(path): error.detail}
    found: dict[str, str] = {}
    for finding in error.errors():
        found.setdefault(_name(finding["loc"][1:]), _problem(_with_limit(finding, limits)))
    return found


def _with_limit(finding: Mapping[str, Any], limits: Limits) -> Mapping[str, Any]:
    """Lowers the maximum length in the message to the limit of the settings."""
    most, facts = limits.of(str(finding["loc"][-1])), finding.get("ctx", {})
    if most is None or "max_length" not in facts:
        return finding
    return {**finding, "ctx": {**facts, "max_length": min(most, facts["max_length"])}}


def _name(path: Sequence[int | str]) -> str:
    first, *further = (str(part) for part in path or ("",))
    name = FORM_NAMES.get(first, first)
    return f"{name}.{further[0]}" if name in ROWS and further else name


def _problem(finding: Mapping[str, Any]) -> str:
    make = PROBLEMS.get(finding["type"])
    return str(finding["msg"]) if make is None else make(finding)


def _too_long(finding: Mapping[str, Any]) -> str:
    value, most = finding["input"], finding["ctx"]["max_length"]
    if not isinstance(value, str):
        return Text("There are %(count)s, and the limit is %(most)s.", count=len(value), most=most)
    return too_long(value, most, is_tag="tags" in finding["loc"])


def too_long(value: str, most: int, *, is_tag: bool = False) -> Text:
    facts = {"count": len(value), "most": most}
    if not is_tag:
        return Text(
            "This has %(count)s characters, and the limit is %(most)s. Shorten it.", **facts
        )
    tag = value if len(value) <= QUOTED else f"{value[: QUOTED - 1].rstrip()}…"
    return Text(
        "The tag “%(tag)s” has %(count)s characters, and the limit is %(most)s. Shorten it.",
        tag=tag,
        **facts,
    )


def _reason(finding: Mapping[str, Any]) -> str:
    """The message of a ValueError that one of our validators raised."""
    (reason,) = finding["ctx"]["error"].args
    if reason is BLANK:
        return Text("Write something here. Spaces alone are not enough.")
    return Text("This %(reason)s.", reason=reason)


PROBLEMS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": lambda _: Text("This is missing."),
    "string_too_long": _too_long,
    "too_long": _too_long,
    "too_short": lambda _: Text("Add at least one."),
    "greater_than": lambda it: Text("It must be more than %(least)s.", least=it["ctx"]["gt"]),
    "greater_than_equal": lambda it: Text("It must be at least %(least)s.", least=it["ctx"]["ge"]),
    "less_than_equal": lambda it: Text("It must be at most %(most)s.", most=it["ctx"]["le"]),
    "int_parsing": lambda _: Text("It must be a whole number."),
    "int_type": lambda _: Text("It must be a whole number."),
    "int_from_float": lambda _: Text("It must be a whole number."),
    "float_parsing": lambda _: Text("It must be a number."),
    "float_type": lambda _: Text("It must be a number."),
    "literal_error": lambda it: Text("Choose one of %(names)s.", names=it["ctx"]["expected"]),
    "value_error": _reason,
}
