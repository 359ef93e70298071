"""Every error that the service raises on purpose. It knows neither HTTP nor HTML.

ServiceError
├── ConfigurationError          the settings cannot work; the server does not start
├── InvalidInput                the caller's input cannot be used
│   ├── InvalidFile             a file that cannot be read, with line and column
│   ├── InvalidArchive          a JSON file that is not an export of Ideapool
│   └── IdempotencyKeyReused    the key of one request was sent with another one
├── NotFound                    there is no such board, idea, run …
│   └── UnknownIdeas            some of several ideas do not exist
├── LostUpdate                  someone else changed the idea since the caller read it
├── Conflict                    the current state does not allow this
│   ├── PeopleFirst             people are to write ideas before a model does
│   ├── RequestInProgress       the first request with this key is still being answered
│   └── LeaseLost               another server has ended the run that this one performed
├── Unauthorised                the API key is missing or not valid
│   ├── KeyExpired              the key worked until a time that is over
│   └── PersonRemoved           an owner removed the person whose key or session it is
├── Forbidden                   a cross-site request, or a host that is not allowed
│   ├── RoleNeeded              the person may see it, but not do this
│   └── ScopeNeeded             the person may do it, but not with this key
├── InvitationGone              the invitation link expired or was withdrawn
├── BodyTooLarge                the request body has more bytes than the limit
├── ClientLeft                  the client disconnected; nobody reads the answer
├── StorageUnavailable          the disk is full, or the database cannot be written
├── TooManyStreams              as many streams of changes are open as the server allows
├── ServerUnreachable           the command line gets no answer from a server, or half of one
├── ServerRefused               a server answered the command line with an error
└── EngineError                 a model failed; ideas can still be edited
    ├── ModelUnavailable        the model is missing, corrupt, loading or unknown
    ├── EngineBusy              all slots and all places in the queue are taken
    ├── PromptTooLong           the prompt does not fit the model's context
    ├── EngineCrashed           the model process stopped during the request
    ├── DeadlineExceeded        the run or request took longer than allowed
    └── AnswerUnusable          no usable answer came within the allowed attempts
        └── RepeatedIdea        the idea is too similar to one that exists already

`service/web/errors.py` has the table from classes to HTTP status codes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from service.messages import Text, pack


class ServiceError(Exception):
    """`detail` says what happened and what to do about it.

    A page translates it if it is a `Text`; everywhere else it is shown in English.
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
    """`places` has (line, column, problem) for the first problems of the file."""

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


class InvalidArchive(InvalidInput):
    """`problems` has the first ones as pydantic describes them."""

    def __init__(self, problems: Sequence[Mapping[str, Any]]) -> None:
        first = problems[0]
        place = "/".join(str(part) for part in first["loc"])
        what = f"{place or 'The file'}: {first['msg']}. Nothing was imported."
        super().__init__(what, pointer="/" + place)
        self.problems = tuple(problems)


class IdempotencyKeyReused(InvalidInput):
    pass


class NotFound(ServiceError):
    pass


class UnknownIdeas(NotFound):
    """`missing` has the unknown ids by their index in the caller's list."""

    def __init__(self, detail: str, *, missing: Mapping[int, str]) -> None:
        super().__init__(detail)
        self.missing = missing


class LostUpdate(ServiceError):
    def __init__(self, detail: str, *, current_version: int) -> None:
        super().__init__(detail)
        self.current_version = current_version


class Conflict(ServiceError):
    """`pointer` as in InvalidInput."""

    def __init__(self, detail: str, *, pointer: str | None = None) -> None:
        super().__init__(detail)
        self.pointer = pointer


class PeopleFirst(Conflict):
    pass


class RequestInProgress(Conflict):
    def __init__(self, detail: str, *, retry_after_s: int) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class LeaseLost(Conflict):
    pass


class Unauthorised(ServiceError):
    pass


class KeyExpired(Unauthorised):
    pass


class PersonRemoved(Unauthorised):
    pass


class Forbidden(ServiceError):
    pass


class RoleNeeded(Forbidden):
    pass


class ScopeNeeded(Forbidden):
    pass


class InvitationGone(ServiceError):
    pass


class BodyTooLarge(ServiceError):
    pass


class ClientLeft(ServiceError):
    pass


class StorageUnavailable(ServiceError):
    retry_after_s: ClassVar = 5


class TooManyStreams(ServiceError):
    def __init__(self, detail: str, *, retry_after_s: int) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class ServerUnreachable(ServiceError):
    pass


class ServerRefused(ServiceError):
    """`status` is the HTTP status, or None for a run that failed after its stream had begun."""

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


class RepeatedIdea(AnswerUnusable):
    pass


def record(failure: dict[str, Any]) -> dict[str, Any]:
    """The form of `describe` that is stored; `words` has the parts of a translatable detail."""
    return {**failure, "detail": str(failure["detail"]), "words": pack(failure["detail"])}


def type_of(kind: type[ServiceError]) -> str:
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in kind.__name__).lstrip("-")


def describe(error: BaseException) -> dict[str, Any]:
    """The type and the detail of an error, as they are stored and shown."""
    if isinstance(error, ServiceError):
        return {"type": type_of(type(error)), "detail": error.detail}
    return {
        "type": "internal-error",
        "detail": Text("Something went wrong in the server. Its log has the details."),
    }
