"""Responds to a refused form with its page, which keeps the input and shows the problems.

The app requests the page from itself, because a form may be on several pages. A browser with scripts
still has the form, so an alert is enough for a problem that belongs to no field.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast
from urllib.parse import urlencode, urlsplit

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.types import Message

from service.errors import Conflict, InvalidInput, LostUpdate, ServiceError
from service.store import Limits, Store
from service.web.access import Access
from service.web.addresses import Addresses
from service.web.errors import (
    KEEP_ADDRESS,
    ErrorResponses,
    describe_for_page,
    headers_of,
    is_page,
    status_of,
)
from service.web.pages.responses import current_address
from service.web.sent_forms import Alert, Refusal
from service.web.validation_messages import problems

# For example, a board redirects to an address with its unfinished run.
MOST_REDIRECTS = 3
# The other headers belong to the form's request.
KEPT_HEADERS = (b"host", b"cookie", b"authorization", b"referer", b"accept-language")


class RefusedForms:
    def __init__(self, responses: ErrorResponses) -> None:
        self._responses = responses

    async def handle(self, request: Request, error: Exception) -> Response:
        page = await self._page(request, error) if _is_form(request) else None
        if page is None:
            return self._responses.respond(request.scope, error)
        page.headers.update(KEEP_ADDRESS | headers_of(error))
        return page

    async def _page(self, request: Request, error: Exception) -> Response | None:
        values = await _values(request, error)
        refusal = Refusal(request.url.path, _form_address(request, values), values)
        if isinstance(error, RequestValidationError | InvalidInput | Conflict):
            with_problems = replace(refusal, problems=problems(error, _limits(request)))
            page = await _load(request, with_problems)
            if page is not None and with_problems.is_shown:
                page.status_code = 422
                return page
        if "hx-request" in request.headers:
            return None
        status, title, detail = describe_for_page(error)
        page = await _load(request, replace(refusal, alert=Alert(title, detail)))
        if page is not None:
            page.status_code = status
        return page


def _limits(request: Request) -> Limits:
    return cast(Store, request.app.state.store).limits


def _is_form(request: Request) -> bool:
    return request.method == "POST" and is_page(request)


def _form_address(request: Request, values: Mapping[str, Sequence[str]]) -> str:
    """The address of the page with the form. Some forms are only on the response to another form."""
    path = request.url.path
    if _is_on_card(request):
        return f"{path}/edit"
    if path.endswith("/accept") and "body" in values:
        chosen = {name: values[name] for name in ("take", "edits") if name in values}
        return f"{path.removesuffix('accept')}edit?{urlencode(chosen, doseq=True)}"
    return current_address(request, cast(Addresses, request.app.state.addresses).page(path))


def _is_on_card(request: Request) -> bool:
    is_card = "#idea-" in request.headers.get("HX-Target", "")
    return is_card and re.fullmatch(r"/ideas/[^/]+", request.url.path) is not None


async def _values(request: Request, error: Exception) -> Mapping[str, Sequence[str]]:
    """The fields as they were sent, without files.

    After a lost update `revision` is left out: the page has the newest one, so that sending the
    form again overwrites the other change.
    """
    form = await request.form()
    values: dict[str, list[str]] = {}
    for name, value in form.multi_items():
        if isinstance(value, str) and not (isinstance(error, LostUpdate) and name == "revision"):
            values.setdefault(name, []).append(value)
    return values


async def _load(request: Request, refusal: Refusal) -> Response | None:
    for _ in range(MOST_REDIRECTS):
        response = await _get(request, refusal)
        if response.status_code != 303:
            return response if response.status_code == 200 else None
        refusal = replace(refusal, address=response.headers["location"])
    return None


async def _get(request: Request, refusal: Refusal) -> Response:
    """Requests the page from the app's own routes."""
    parts = urlsplit(refusal.address)
    kept = [pair for pair in request.scope["headers"] if pair[0] in KEPT_HEADERS]
    if _is_on_card(request):
        kept += [pair for pair in request.scope["headers"] if pair[0] == b"hx-target"]
    scope = dict(request.scope) | {
        "method": "GET",
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "path_params": {},
        "headers": [*kept, (b"accept", b"text/html")],
        "state": {**request.scope.get("state", {}), "refusal": refusal},
    }
    try:
        # The address is the browser's choice, and this request does not pass the guard.
        await cast(Access, request.app.state.access).check(scope)
    except ServiceError as error:
        return Response(status_code=status_of(error))
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    await request.app.router(scope, _empty, send)
    start, *rest = messages
    response = Response(b"".join(one.get("body", b"") for one in rest), start["status"])
    response.raw_headers = [
        *(pair for pair in start["headers"] if pair[0] != b"content-length"),
        (b"content-length", str(len(response.body)).encode()),
    ]
    return response


async def _empty() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
