"""`Idempotency-Key`: a client that got no answer repeats its request, and it is carried out only once.

The rule of the IETF's draft draft-ietf-httpapi-idempotency-key-header, for every POST whose route is
a `KeyedRoute`. Only answers that something was done are kept. A request that was refused or failed
has changed nothing, so it may be sent again with the same key, even with another body.
"""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, ClassVar, get_type_hints

from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute
from pydantic import AfterValidator, Field, TypeAdapter

from service.actor import acting_person_id
from service.errors import Conflict
from service.messages import Text
from service.store import Store
from service.store.dialects.locks import Locks
from service.store.keyed_answers import Answer, RequestKey, in_progress
from service.store.tables import KeyedAnswer
from service.web.dependencies import StoreDep
from service.web.guard import token_of

HEADER, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
MOST_CHARACTERS = 255
_PATTERN = rf'^(?:"[!#-\[\]-~]{{1,{MOST_CHARACTERS}}}"|[!#-\[\]-~]{{1,{MOST_CHARACTERS}}})$'


def bare_key(value: str) -> str:
    """The key without the quotation marks that a string has in a structured field (RFC 8941)."""
    key = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    is_plain = all("!" <= character <= "~" and character not in '"\\' for character in key)
    if not 1 <= len(key) <= MOST_CHARACTERS or not is_plain:
        raise ValueError(
            Text(
                "must have 1 to %(most)s letters, digits or signs of ASCII, without spaces, quotation "
                "marks and backslashes; a UUID is a good key",
                most=MOST_CHARACTERS,
            )
        )
    return key


class RequestsInProgress:
    """The keys of the requests that are being answered, by any server on the database.

    A key is a lock, which ends with its server: nothing of what that was doing is stored then, so
    that the requests may be sent again.
    """

    def __init__(self, locks: Locks) -> None:
        self._locks = locks

    @contextmanager
    def hold(self, key: RequestKey) -> Iterator[None]:
        """Blocking. Raises: RequestInProgress if somebody else holds this key."""
        if not self._locks.take(_lock_of(key)):
            raise in_progress()
        try:
            yield
        finally:
            self._locks.release(_lock_of(key))

    @asynccontextmanager
    async def hold_meanwhile(self, key: RequestKey) -> AsyncIterator[None]:
        """As `hold`, without blocking."""
        async with self._locks.held(_lock_of(key)) as is_held:
            if not is_held:
                raise in_progress()
            yield


def _lock_of(key: RequestKey) -> str:
    return f"request {key.id}"


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request and its key, if it has one.

    `response` has the status and the headers that the endpoint sets.
    """

    request: Request
    response: Response
    store: Store
    key: str | None
    body: bytes

    @property
    def in_progress(self) -> RequestsInProgress:
        found: RequestsInProgress = self.request.app.state.requests_in_progress
        return found

    def identify(self, key: str) -> RequestKey:
        """Hashes the request, which takes a while if its body is a large file."""
        headers, scope = self.request.headers, self.request.scope
        parts = [scope["method"], scope["path"], headers.get("content-type", "")]
        request = [*(part.encode() for part in parts), scope["query_string"], self.body]
        # A trusted proxy sends no key for the people it names.
        caller = token_of(scope) or acting_person_id() or ""
        return RequestKey.of(caller, key, request)

    def answer_once(
        self, act: Callable[[], bytes], *, status: int, is_joined: bool = True
    ) -> Response:
        """Returns the answer of `act`, a JSON text, or the stored one of the same request.

        What `act` writes and its answer are stored in one transaction if `is_joined`; otherwise the
        answer is stored when it is done, and what it does may be done again.

        Raises:
            IdempotencyKeyReused: the key belongs to another request.
            RequestInProgress: the same request is being answered.
            Conflict: the request was carried out, but its answer is not kept.
        """
        assert self.key is not None, "a request without a key is not kept"
        key = self.identify(self.key)
        find = self.store.keyed_answers.find
        found = find(key)
        if found is None:
            with self.in_progress.hold(key):
                # The first request may have been answered meanwhile.
                found = find(key)
                if found is None:
                    with self.store.keyed_answers.together() if is_joined else nullcontext():
                        return self._answer(key, act, status)
        return _replayed(found)

    def _answer(self, key: RequestKey, act: Callable[[], bytes], status: int) -> Response:
        body = act().decode()
        answer = Answer(self.response.status_code or status, dict(self.response.headers), body)
        self.store.keyed_answers.keep(key, answer)
        return _json(answer.body, answer.status, answer.headers)


async def _keyed_request(
    request: Request,
    response: Response,
    store: StoreDep,
    key: Annotated[
        Annotated[
            str,
            AfterValidator(bare_key),
            Field(
                json_schema_extra={
                    "minLength": 1,
                    "maxLength": MOST_CHARACTERS + 2,
                    "pattern": _PATTERN,
                }
            ),
        ]
        | None,
        Header(
            alias=HEADER,
            description="A key of your choice, such as a UUID. If no answer arrives, send the same "
            "request with the same key again: within 24 hours it is carried out only once, and "
            f"`{REPLAYED}: true` marks the answer to a repetition.",
        ),
    ] = None,
) -> KeyedRequest:
    body = b"" if key is None else await request.body()
    return KeyedRequest(request, response, store, key, body)


KeyedRequestDep = Annotated[KeyedRequest, Depends(_keyed_request)]


class KeyedRoute(APIRoute):
    """A route of the API. A POST that is answered in a thread takes an `Idempotency-Key`.

    Routes that start runs wait for a model and keep the key with the run: see `actions`.
    """

    is_joined: ClassVar = True

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if "POST" in (options.get("methods") or ()) and not inspect.iscoroutinefunction(endpoint):
            status = options.get("status_code") or 200
            endpoint = _answered_once(endpoint, status, is_joined=self.is_joined)
        super().__init__(path, endpoint, **options)


class RepeatableRoute(KeyedRoute):
    """A `KeyedRoute` whose POST takes longer than a transaction may, and adds nothing a second time.

    If the server ends in the middle, a repetition with the same key adds the rest.
    """

    is_joined = False


def _answered_once(
    endpoint: Callable[..., Any], status: int, *, is_joined: bool
) -> Callable[..., Any]:
    result_type = TypeAdapter[Any](get_type_hints(endpoint, include_extras=True)["return"])

    @wraps(endpoint)
    def answer(*, keyed_request: KeyedRequest, **arguments: Any) -> Any:
        if keyed_request.key is None:
            return endpoint(**arguments)

        def act() -> bytes:
            return result_type.dump_json(endpoint(**arguments), by_alias=True)

        return keyed_request.answer_once(act, status=status, is_joined=is_joined)

    signature = inspect.signature(endpoint)
    added = inspect.Parameter(
        "keyed_request", inspect.Parameter.KEYWORD_ONLY, annotation=KeyedRequestDep
    )
    # FastAPI reads the parameters from here.
    answer.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), added]
    )
    return answer


def _replayed(found: KeyedAnswer) -> Response:
    if found.body is None:
        raise Conflict(
            Text(
                "This request was carried out before, but its answer is not kept any more. Read what "
                "there is now; to do it again, use a new Idempotency-Key."
            )
        )
    return _json(found.body, found.status, found.headers | {REPLAYED: "true"})


def _json(body: str, status: int, headers: dict[str, str]) -> Response:
    return Response(body, status, headers, media_type="application/json")
