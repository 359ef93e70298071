"""Turns error responses of a server into our errors, with the server's message. Pure."""

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


def error_for_status(status: int, body: str, *, engine: str, retry_after_s: int) -> ServiceError:
    """The error for a response with a status other than 200."""
    message = message_of(body)
    if status in (401, 403):
        return ModelUnavailable(
            f"{engine} refuses the key, or needs one. Correct IDEAPOOL_ENGINE_KEY."
        )
    if status in (429, 503):
        return EngineBusy(
            f"{engine} is busy: {message}. Try again in {retry_after_s} s.",
            retry_after_s=retry_after_s,
        )
    if _TOO_LONG.search(body):
        return PromptTooLong(f"The text is too long for the model. {engine} says: {message}.")
    if status in (400, 413, 422):
        return InvalidInput(f"{engine} cannot do this: {message}.")
    if status < 500 or status == 501:
        return ModelUnavailable(
            f"{engine} answered with status {status}: {message}. Correct IDEAPOOL_ENGINE_URL, "
            "IDEAPOOL_ENGINE_MODEL or the engine."
        )
    return EngineCrashed(f"{engine} failed with status {status}: {message}. Try again.")


def message_of(body: str) -> str:
    """The error message of a server, as one short line."""
    error = error_object(body)
    message = error.get("message") or error.get("detail") or error.get("error")
    return one_line(message) if isinstance(message, str) else "it does not say why"


def retry_after_s(header: str | None, otherwise: float) -> int:
    """The seconds of a Retry-After header, between 1 and `LONGEST_RETRY_AFTER_S`.

    `otherwise` is used without a header, and for dates, which are not parsed.
    """
    seconds = re.fullmatch(r"[0-9]{1,9}", header or "")
    wait_s = float(seconds[0]) if seconds is not None else otherwise
    return math.ceil(min(max(wait_s, 1.0), LONGEST_RETRY_AFTER_S))


def error_object(body: str) -> dict[str, Any]:
    """The error object, wherever the server puts it; empty if there is none."""
    try:
        found = _Error.model_validate_json(body)
    except ValidationError:
        return {}
    return found.error if isinstance(found.error, dict) else found.model_dump()


def one_line(text: str) -> str:
    """The text without line breaks and control characters, cut to `_LONGEST_QUOTE`."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    cut = line if len(line) <= _LONGEST_QUOTE else line[: _LONGEST_QUOTE - 1] + "…"
    return cut.rstrip(" .")
