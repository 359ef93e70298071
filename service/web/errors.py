"""The one table from an error to its answer.

Programs get RFC 9457, OpenAI clients OpenAI's form under /v1, people a page or an alert.
"""

import http
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import compile_path
from starlette.types import Scope

from service import errors
from service.messages import Text
from service.web.templating import Templates
from service.web.validation_messages import said

STATUS: dict[type[errors.ServiceError], int] = {
    errors.InvalidInput: 422,
    errors.NotFound: 404,
    errors.LostUpdate: 412,
    errors.Conflict: 409,
    errors.Unauthorised: 401,
    errors.Forbidden: 403,
    errors.BodyTooLarge: 413,
    # Nobody reads it; nginx has made the number customary.
    errors.ClientLeft: 499,
    errors.StorageUnavailable: 503,
    errors.ModelUnavailable: 503,
    errors.EngineBusy: 503,
    errors.PromptTooLong: 422,
    errors.EngineCrashed: 502,
    errors.DeadlineExceeded: 504,
    errors.AnswerUnusable: 502,
    errors.ServiceError: 500,
}
# What pages call it.
TITLES = {
    401: Text("Please sign in"),
    403: Text("That is not allowed"),
    404: Text("This is not here"),
    409: Text("That does not work just now"),
    412: Text("Somebody else was faster"),
    413: Text("That is too much at once"),
    422: Text("That could not be used"),
    500: Text("Something went wrong"),
    502: Text("The model stumbled"),
    503: Text("Not just now"),
    504: Text("That took too long"),
}
PROGRAM_PATHS = ("/api/", "/v1/", "/livez", "/readyz", "/healthz", "/metrics")
OPENAI_PATHS = "/v1/"
PROBLEM_TYPE = "application/problem+json"
# What OpenAI calls it; other codes are the problem's type.
_OPENAI_CODES: dict[type[Exception], str] = {
    errors.Unauthorised: "invalid_api_key",
    errors.NotFound: "model_not_found",
    errors.PromptTooLong: "context_length_exceeded",
}


class ErrorAnswers:
    """Turns an exception into a response in the form that the caller can read."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    def respond(self, scope: Scope, error: Exception) -> Response:
        request = Request(scope)
        problem, headers = problem_of(error), headers_of(error)
        if problem["status"] == 405:
            headers["Allow"] = _allowed(request)
        if request.url.path.startswith(OPENAI_PATHS):
            status, body = openai_error(error)
            return JSONResponse(body, status, headers=headers)
        problem["instance"] = f"urn:uuid:{scope.get('state', {}).get('request_id', '')}"
        if request.url.path.startswith(PROGRAM_PATHS) or not _wants_html(request):
            return JSONResponse(
                problem, problem["status"], headers=headers, media_type=PROBLEM_TYPE
            )
        if isinstance(error, RequestValidationError):
            problem["detail"] = said(error)
        return self._page(request, problem, headers)

    def _page(self, request: Request, problem: dict[str, Any], headers: dict[str, str]) -> Response:
        is_fragment = "hx-request" in request.headers
        template = "shared/_alert.html" if is_fragment else "shared/error.html"
        if problem["status"] == 401 and not is_fragment:
            return Response(status_code=303, headers={"Location": "/login"})
        return self._templates.respond(
            request,
            template,
            {
                "status": problem["status"],
                "title": TITLES.get(problem["status"], problem["title"]),
                "detail": problem["detail"],
            },
            status_code=problem["status"],
            headers=headers | {"Vary": "Accept, HX-Request"},
        )

    async def handle(self, request: Request, error: Exception) -> Response:
        return self.respond(request.scope, error)


def status_of(error: BaseException) -> int:
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def problem_of(error: Exception) -> dict[str, Any]:
    """Members `type`, `title`, `status`, `detail`; `errors` with JSON Pointers for bad input."""
    if isinstance(error, RequestValidationError):
        return _problem(422, "invalid-input", _summary(error), errors=_pointers(error))
    if isinstance(error, HTTPException):
        kind = http.HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        return _problem(error.status_code, kind, _http_detail(error))
    known = errors.describe(error)
    problem = _problem(status_of(error), known["type"], known["detail"])
    if isinstance(error, errors.InvalidInput) and error.pointer:
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
    """The status and body that OpenAI's clients look for; they know 400 but not 422."""
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


def headers_of(error: Exception) -> dict[str, str]:
    if isinstance(error, errors.EngineBusy):
        return {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, errors.LostUpdate):
        return {"ETag": f'"{error.current_version}"'}
    if isinstance(error, errors.Unauthorised):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, HTTPException) and isinstance(error.headers, Mapping):
        return dict(error.headers)
    return {}


def _allowed(request: Request) -> str:
    """Every method that routes take at this path; Starlette only names the first route's.

    A path that also fits another's parameter, as `next` does, is still its own.
    """
    methods: dict[str, set[str]] = {}
    for route in iter_route_contexts(request.app.routes):
        if route.path is not None and compile_path(route.path)[0].match(request.url.path):
            methods.setdefault(route.path, set()).update(route.methods or ())
    return ", ".join(sorted(next(iter(methods.values()), ())))


def _problem(status: int, kind: str, detail: str, **more: Any) -> dict[str, Any]:
    # Said in our own words: the standard phrases differ between versions of Python.
    title = kind.replace("-", " ").capitalize()
    return {"type": f"/problems/{kind}", "title": title, "status": status, "detail": detail, **more}


def _http_detail(error: HTTPException) -> str:
    if error.status_code == 404:
        return Text("There is nothing at this address. The API's paths are listed at /api/docs.")
    if error.status_code == 405:
        return Text(
            "This address does not take that method; the Allow header lists those it takes."
        )
    return str(error.detail)


def _summary(error: RequestValidationError) -> str:
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
        found.append({"pointer": pointer, "detail": str(item["msg"])})
    return found


def _param(path: Sequence[int | str]) -> str | None:
    """`messages[0].content`; without the names that pydantic gives to the kinds of a value."""
    param = ""
    for part in takewhile(lambda one: isinstance(one, int) or one.isidentifier(), path):
        param += f"[{part}]" if isinstance(part, int) else f".{part}"
    return param.lstrip(".") or None


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


def _wants_html(request: Request) -> bool:
    return "hx-request" in request.headers or "text/html" in request.headers.get("accept", "")
