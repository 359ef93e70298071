"""A server's refusals -> errors of ours. Pure; quotes what the server says, shortened."""

import math
import re
from typing import Any

from pydantic import BaseModel, ValidationError

from service.errors import (
    EngineBusy,
    EngineCrashed,
    InvalidInput,
    ModelUnavailable,
    PromptTooLong,
    ServiceError,
)

LONGEST_RETRY_AFTER_S = 120
_LONGEST_QUOTE = 200
_TOO_LONG = re.compile(
    r"exceed_context|context[ _-]?(size|length|window)|maximum model length", re.IGNORECASE
)


class _Error(BaseModel, extra="allow"):
    error: Any = None


def refusal(status: int, body: str, *, engine: str, retry_after_s: int) -> ServiceError:
    """The error a status other than 200 stands for."""
    said = message_of(body)
    if status in (401, 403):
        return ModelUnavailable(
            f"{engine} asks for a key, or for another one. Correct IDEAPOOL_ENGINE_KEY."
        )
    if status in (429, 503):
        return EngineBusy(
            f"{engine} is busy: {said}. Try again in {retry_after_s} s.",
            retry_after_s=retry_after_s,
        )
    if _TOO_LONG.search(body):
        return PromptTooLong(f"The text is too long for the model. {engine} says: {said}.")
    if status in (400, 413, 422):
        return InvalidInput(f"{engine} cannot do this: {said}.")
    if status < 500 or status == 501:
        return ModelUnavailable(
            f"{engine} answered with status {status}: {said}. Correct IDEAPOOL_ENGINE_URL, "
            "IDEAPOOL_ENGINE_MODEL or the engine."
        )
    return EngineCrashed(f"{engine} failed with status {status}: {said}. Try again.")


def message_of(body: str) -> str:
    """What a server says of its error, as a short line."""
    error = error_object(body)
    said = error.get("message") or error.get("detail") or error.get("error")
    return quoted(said) if isinstance(said, str) else "it does not say why"


def retry_after_s(header: str | None, otherwise: float) -> int:
    """The seconds of a Retry-After header, within reason; dates are not read."""
    seconds = re.fullmatch(r"[0-9]{1,9}", header or "")
    wait_s = float(seconds[0]) if seconds is not None else otherwise
    return math.ceil(min(max(wait_s, 1.0), LONGEST_RETRY_AFTER_S))


def error_object(body: str) -> dict[str, Any]:
    """The error object, wherever a server puts it; empty if there is none."""
    try:
        found = _Error.model_validate_json(body)
    except ValidationError:
        return {}
    return found.error if isinstance(found.error, dict) else found.model_dump()


def quoted(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    cut = line if len(line) <= _LONGEST_QUOTE else line[: _LONGEST_QUOTE - 1] + "…"
    return cut.rstrip(" .")
