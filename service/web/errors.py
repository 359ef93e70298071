"""Turns errors into responses, with one table of their statuses.

Programs get a problem (RFC 9457), clients under `/v1` get OpenAI's format, and people get a page or
an alert.
"""

import http
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import compile_path
from starlette.types import Scope

from service import errors
from service.messages import Text
from service.web.addresses import Addresses
from service.web.cookie_rules import SESSION_COOKIE
from service.web.templating import Templates
from service.web.validation_messages import error_summary

STATUS: dict[type[errors.ServiceError], int] = {
    errors.InvalidInput: 422,
    errors.NotFound: 404,
    errors.LostUpdate: 412,
    errors.Conflict: 409,
    errors.Unauthorised: 401,
    errors.TooManyFailures: 429,
    errors.Forbidden: 403,
    errors.InvitationGone: 410,
    errors.BodyTooLarge: 413,
    # Only logs show it: the client has left. nginx uses the same number.
    errors.ClientLeft: 499,
    errors.StorageUnavailable: 503,
    errors.Overloaded: 503,
    errors.TooManyStreams: 503,
    errors.ModelUnavailable: 503,
    errors.EngineBusy: 503,
    errors.PromptTooLong: 422,
    errors.EngineCrashed: 502,
    errors.DeadlineExceeded: 504,
    errors.AnswerUnusable: 502,
    errors.ServiceError: 500,
}
# The headings of error pages and alerts.
TITLES = {
    401: Text("Please sign in"),
    403: Text("That is not allowed"),
    404: Text("Not found"),
    409: Text("This is not possible now"),
    410: Text("This link no longer works"),
    412: Text("Somebody else changed this first"),
    413: Text("This is too large"),
    422: Text("Please check your input"),
    429: Text("Too many attempts"),
    500: Text("Something went wrong"),
    502: Text("The model failed"),
    503: Text("Not available right now"),
    504: Text("That took too long"),
}
PROGRAM_PATHS = ("/api/", "/v1/", "/livez", "/readyz", "/healthz", "/metrics", "/mcp")
OPENAI_PATHS = "/v1/"
# Whoever has only a link gets no way to other pages.
LINK_PATHS = "/shared/"
PROBLEM_TYPE = "application/problem+json"
# A response to a refused form must not change the address bar.
KEEP_ADDRESS = {"HX-Push-Url": "false"}
# OpenAI's own codes; any other error uses its problem type as the code.
_OPENAI_CODES: dict[type[Exception], str] = {
    errors.Unauthorised: "invalid_api_key",
    errors.NotFound: "model_not_found",
    errors.PromptTooLong: "context_length_exceeded",
}


class ErrorResponses:
    """Renders errors as a problem, in OpenAI's format, as a page or as an alert."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    def respond(self, scope: Scope, error: Exception) -> Response:
        request = Request(scope)
        problem, headers = problem_of(error), headers_of(error)
        if problem["status"] == 405:
            headers["Allow"] = _allowed_methods(request)
            if request.method == "GET" and is_page(request):
                return _to_page(request)
        if request.url.path.startswith(OPENAI_PATHS):
            status, body = openai_error(error)
            return JSONResponse(body, status, headers=headers)
        problem["instance"] = f"urn:uuid:{scope.get('state', {}).get('request_id', '')}"
        if not is_page(request):
            return JSONResponse(
                problem, problem["status"], headers=headers, media_type=PROBLEM_TYPE
            )
        return self._page(request, error, headers)

    def _page(self, request: Request, error: Exception, headers: dict[str, str]) -> Response:
        status, title, detail = describe_for_page(error)
        is_fragment = "hx-request" in request.headers
        whole = _whole_page(request, error)
        template = "shared/_alert.html" if is_fragment else whole
        if status == 401 and not is_fragment:
            return Response(status_code=303, headers={"Location": _sign_in(request, error)})
        return self._templates.respond(
            request,
            template,
            {"status": status, "title": title, "detail": detail},
            status_code=status,
            headers=headers | {"Vary": "Accept, HX-Request"} | KEEP_ADDRESS,
        )

    async def handle(self, request: Request, error: Exception) -> Response:
        return self.respond(request.scope, error)


def status_of(error: BaseException) -> int:
    return status_of_kind(type(error))


def status_of_kind(kind: type[BaseException]) -> int:
    return next((STATUS[one] for one in kind.__mro__ if one in STATUS), 500)


def describe_for_page(error: Exception) -> tuple[int, str, str]:
    """The status, the title and the detail that a page shows."""
    problem = problem_of(error)
    status = int(problem["status"])
    if isinstance(error, RequestValidationError):
        detail = error_summary(error)
    elif isinstance(error, HTTPException) and status == 404:
        detail = Text("There is no page at this address. Check it, or start from the board.")
    else:
        detail = problem["detail"]
    return status, TITLES.get(status, problem["title"]), detail


def problem_of(error: Exception) -> dict[str, Any]:
    """An RFC 9457 problem; `errors` has JSON Pointers for bad input, lines for bad files."""
    if isinstance(error, RequestValidationError):
        return _problem(422, "invalid-input", _first_problem(error), errors=_pointers(error))
    if isinstance(error, HTTPException):
        kind = http.HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        return _problem(error.status_code, kind, _http_detail(error))
    known = errors.describe(error)
    problem = _problem(status_of(error), known["type"], known["detail"])
    if isinstance(error, errors.InvalidInput | errors.Conflict) and error.pointer:
        problem["errors"] = [{"pointer": error.pointer, "detail": error.detail}]
    if isinstance(error, errors.UnknownIdeas):
        problem["errors"] = [
            {
                "pointer": f"/ids/{place}",
                "detail": f"The idea {idea_id} does not exist or was deleted.",
            }
            for place, idea_id in error.missing.items()
        ]
    if isinstance(error, errors.InvalidFile):
        problem["errors"] = [
            {"line": line, "column": column, "detail": detail}
            for line, column, detail in error.places
        ]
    return problem


def openai_error(error: Exception) -> tuple[int, dict[str, Any]]:
    """The status and body that OpenAI's clients expect; they know 400 but not 422."""
    problem = problem_of(error)
    status = 400 if problem["status"] == 422 else problem["status"]
    kind = problem["type"].rpartition("/")[2].replace("-", "_")
    code, param, message = _OPENAI_CODES.get(type(error), kind), None, problem["detail"]
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        param = _param(first["loc"][1:])
        message = f"{param or 'The body'}: {first['msg']}"
        code = "unsupported" if first["type"] == "unsupported" else code
    elif isinstance(error, errors.InvalidInput) and error.pointer:
        param = error.pointer.strip("/").replace("/", ".")
    family = "server_error" if status >= 500 else "invalid_request_error"
    return status, {"error": {"message": message, "type": family, "param": param, "code": code}}


_TO_BE_TRIED_AGAIN = (
    errors.EngineBusy,
    errors.Overloaded,
    errors.RequestInProgress,
    errors.StorageUnavailable,
    errors.TooManyFailures,
    errors.TooManyStreams,
)


def headers_of(error: Exception) -> dict[str, str]:
    if isinstance(error, _TO_BE_TRIED_AGAIN):
        return {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, errors.LostUpdate):
        return {"ETag": f'"{error.current_version}"'}
    if isinstance(error, errors.Unauthorised):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, HTTPException) and isinstance(error.headers, Mapping):
        return dict(error.headers)
    return {}


def _allowed_methods(request: Request) -> str:
    """All methods of the routes at this path; Starlette lists only those of the first route.

    A fixed path such as `comparisons/next` also matches `comparisons/{comparison_id}`; only the
    first path that matches counts.
    """
    methods: dict[str, set[str]] = {}
    for route in iter_route_contexts(request.app.routes):
        if route.path is not None and compile_path(route.path)[0].match(request.url.path):
            methods.setdefault(route.path, set()).update(route.methods or ())
    return ", ".join(sorted(next(iter(methods.values()), ())))


def _problem(status: int, kind: str, detail: str, **more: Any) -> dict[str, Any]:
    # The title is our own, as the standard phrases differ between versions of Python.
    title = kind.replace("-", " ").capitalize()
    return {"type": f"/problems/{kind}", "title": title, "status": status, "detail": detail, **more}


def _http_detail(error: HTTPException) -> str:
    if error.status_code == 404:
        return Text("There is nothing at this address. The API's paths are listed at /api/docs.")
    if error.status_code == 405:
        return Text(
            "This address does not accept that method. The Allow header lists the accepted ones."
        )
    return str(error.detail)


def _first_problem(error: RequestValidationError) -> str:
    first = _pointers(error)[0]
    return f"{first['pointer'] or 'The body'}: {first['detail']}"


def _pointers(error: RequestValidationError) -> list[dict[str, str]]:
    # The input itself is left out: it may be large, secret, or not even serialisable.
    found = []
    for item in error.errors():
        place, *path = item["loc"]
        if place != "body" and path:
            pointer = f"#{place}/{'/'.join(str(part) for part in path)}"
        else:
            pointer = "".join(f"/{_escape(str(part))}" for part in path)
        found.append({"pointer": pointer, "detail": _detail(item)})
    return found


def _detail(item: Mapping[str, Any]) -> str:
    # Before the words of our own validators pydantic puts "Value error, ".
    own = item.get("ctx", {}).get("error") if item["type"] == "value_error" else None
    return str(item["msg"] if own is None else own)


def _param(path: Sequence[int | str]) -> str | None:
    """A path such as `messages[0].content`, without the names that pydantic adds for unions."""
    param = ""
    for part in takewhile(lambda one: isinstance(one, int) or one.isidentifier(), path):
        param += f"[{part}]" if isinstance(part, int) else f".{part}"
    return param.lstrip(".") or None


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


def is_page(request: Request) -> bool:
    """Whether the request comes from a browser and not from a program."""
    wants_html = "hx-request" in request.headers or "text/html" in request.headers.get("accept", "")
    return wants_html and not request.url.path.startswith(PROGRAM_PATHS)


def _whole_page(request: Request, error: Exception) -> str:
    if isinstance(error, errors.Overloaded):
        # What refuses quickly must not take time itself.
        return "shared/busy.html"
    return "links/gone.html" if request.url.path.startswith(LINK_PATHS) else "shared/error.html"


def _sign_in(request: Request, error: Exception) -> str:
    """The address of the page to sign in, which says why somebody who was signed in has to."""
    if isinstance(error, errors.PersonRemoved):
        return "/login?ended=removed"
    was_signed_in = SESSION_COOKIE in request.cookies
    return "/login?ended=session" if was_signed_in else "/login"


def _to_page(request: Request) -> Response:
    """Redirects to the page of a form whose address was loaded, for example by a reload."""
    addresses: Addresses = request.app.state.addresses
    return RedirectResponse(addresses.page(request.url.path), 303)
