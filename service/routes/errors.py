"""The one table from an error to its answer: RFC 9457 for programs, a page or alert for people."""

import http
from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import compile_path
from starlette.templating import Jinja2Templates
from starlette.types import Scope

from service import errors

STATUS: dict[type[errors.ServiceError], int] = {
    errors.InvalidInput: 422,
    errors.NotFound: 404,
    errors.LostUpdate: 412,
    errors.Conflict: 409,
    errors.Unauthorised: 401,
    errors.Forbidden: 403,
    errors.BodyTooLarge: 413,
    errors.StorageUnavailable: 503,
    errors.ModelUnavailable: 503,
    errors.EngineBusy: 503,
    errors.PromptTooLong: 422,
    errors.EngineCrashed: 502,
    errors.DeadlineExceeded: 504,
    errors.AnswerUnusable: 502,
    errors.ServiceError: 500,
}
PROGRAM_PATHS = ("/api/", "/v1/", "/livez", "/readyz", "/healthz", "/metrics")
PROBLEM_TYPE = "application/problem+json"


class ErrorAnswers:
    """Turns an exception into a response in the form that the caller can read."""

    def __init__(self, templates: Jinja2Templates) -> None:
        self._templates = templates

    def respond(self, scope: Scope, error: Exception) -> Response:
        request = Request(scope)
        problem, headers = problem_of(error), headers_of(error)
        if problem["status"] == 405:
            headers["Allow"] = _allowed(request)
        problem["instance"] = f"urn:uuid:{scope.get('state', {}).get('request_id', '')}"
        if request.url.path.startswith(PROGRAM_PATHS) or not _wants_html(request):
            return JSONResponse(
                problem, problem["status"], headers=headers, media_type=PROBLEM_TYPE
            )
        return self._page(request, problem, headers)

    def _page(self, request: Request, problem: dict[str, Any], headers: dict[str, str]) -> Response:
        is_fragment = "hx-request" in request.headers
        template = "partials/_alert.html" if is_fragment else "error.html"
        if problem["status"] == 401 and not is_fragment:
            return Response(status_code=303, headers={"Location": "/login"})
        return self._templates.TemplateResponse(
            request,
            template,
            {key: problem[key] for key in ("status", "title", "detail")},
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
    return problem


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
    """Every method some route takes at this path; Starlette only names the first route's."""
    methods: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        if route.path is not None and compile_path(route.path)[0].match(request.url.path):
            methods |= route.methods or set()
    return ", ".join(sorted(methods))


def _problem(status: int, kind: str, detail: str, **more: Any) -> dict[str, Any]:
    # Said in our own words: the standard phrases differ between versions of Python.
    title = kind.replace("-", " ").capitalize()
    return {"type": f"/problems/{kind}", "title": title, "status": status, "detail": detail, **more}


def _http_detail(error: HTTPException) -> str:
    if error.status_code == 404:
        return "There is nothing at this address. The API's paths are listed at /api/docs."
    if error.status_code == 405:
        return "This address does not take that method; the Allow header lists those it takes."
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


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


def _wants_html(request: Request) -> bool:
    return "hx-request" in request.headers or "text/html" in request.headers.get("accept", "")
