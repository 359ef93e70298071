"""Every error the service raises on purpose; knows neither HTTP nor HTML.

ServiceError
├── ConfigurationError          the operator's settings cannot work; refuses to start
├── InvalidInput                what the caller sent cannot be used
│   └── InvalidFile             a file that cannot be read, by line and column
├── NotFound                    no such board, idea, run …
│   └── UnknownIdeas            some of the ideas that were named together
├── LostUpdate                  somebody else changed it since the caller read it
├── Conflict                    the thing is not in a state that allows this
├── Unauthorised                no key, or one that is not valid
├── Forbidden                   cross-site request, or a host that is not ours
├── BodyTooLarge                more bytes than the limit
├── ClientLeft                  whoever asked went away; nobody reads the answer
├── StorageUnavailable          the disk is full or the database cannot be written
├── ServerUnreachable           no server answers the command line, or its answer broke off
├── ServerRefused               a server answered the command line with a problem
└── EngineError                 generation failed; ideas stay editable
    ├── ModelUnavailable        missing, corrupt, still loading or unknown
    ├── EngineBusy              all slots and the queue are taken
    ├── PromptTooLong           does not fit the model's context
    ├── EngineCrashed           the model process died under this request
    ├── DeadlineExceeded        not finished in the time a run may take
    └── AnswerUnusable          what the model wrote cannot be used within the budget

`routes/errors.py` holds the one table from class to status.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from service.messages import Text, pack


class ServiceError(Exception):
    """`detail` says what happened and what to do; pages show it in their reader's language if it is a
    `Text`, everyone else gets it as it is.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class ConfigurationError(ServiceError):
    pass


class InvalidInput(ServiceError):
    """`pointer` is the JSON Pointer (RFC 6901) of the offending field, if there is one."""

    def __init__(self, detail: str, *, pointer: str | None = None) -> None:
        super().__init__(detail)
        self.pointer = pointer


class InvalidFile(InvalidInput):
    """`places` are (line, column, what is wrong there), the first ones of the file."""

    def __init__(self, places: Sequence[tuple[int, int, str]]) -> None:
        line, column, detail = places[0]
        super().__init__(
            Text(
                "Line %(line)s, column %(column)s: %(detail)s Nothing was imported.",
                line=line,
                column=column,
                detail=detail,
            )
        )
        self.places = tuple(places)


class NotFound(ServiceError):
    pass


class UnknownIdeas(NotFound):
    """`missing` are the ids that lead nowhere, by their place in the caller's list."""

    def __init__(self, detail: str, *, missing: Mapping[int, str]) -> None:
        super().__init__(detail)
        self.missing = missing


class LostUpdate(ServiceError):
    def __init__(self, detail: str, *, current_version: int) -> None:
        super().__init__(detail)
        self.current_version = current_version


class Conflict(ServiceError):
    pass


class Unauthorised(ServiceError):
    pass


class Forbidden(ServiceError):
    pass


class BodyTooLarge(ServiceError):
    pass


class ClientLeft(ServiceError):
    pass


class StorageUnavailable(ServiceError):
    pass


class ServerUnreachable(ServiceError):
    pass


class ServerRefused(ServiceError):
    """`status` is HTTP's; None for a run that failed after its stream had begun."""

    def __init__(self, detail: str, *, status: int | None = None) -> None:
        super().__init__(detail)
        self.status = status


class EngineError(ServiceError):
    pass


class ModelUnavailable(EngineError):
    pass


class EngineBusy(EngineError):
    def __init__(self, detail: str, *, retry_after_s: int) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class PromptTooLong(EngineError):
    pass


class EngineCrashed(EngineError):
    pass


class DeadlineExceeded(EngineError):
    pass


class AnswerUnusable(EngineError):
    pass


def record(failure: dict[str, Any]) -> dict[str, Any]:
    """What is stored of what `describe` gives: `words` are the parts of the detail."""
    return {**failure, "detail": str(failure["detail"]), "words": pack(failure["detail"])}


def describe(error: BaseException) -> dict[str, Any]:
    """What is kept and shown of a failure."""
    if isinstance(error, ServiceError):
        name = type(error).__name__
        kebab = "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")
        return {"type": kebab, "detail": error.detail}
    return {
        "type": "internal-error",
        "detail": Text("Something went wrong in the server; its log says what."),
    }
