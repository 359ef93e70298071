"""Shows a new link or key once: a cookie carries it from the form to the page that shows it."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Literal

from fastapi import Request, Response

from service.web.pages.responses import redirect

MADE_COOKIE = "ideapool_made"
_LIFE_S = 120
Kind = Literal["link", "key"]


@dataclass(frozen=True, slots=True)
class Made:
    """`text` is the link or the key; `name` says what it is for."""

    kind: Kind
    text: str
    name: str = ""


def redirect_with(url: str, made: Made, *, is_secure: bool) -> Response:
    response = redirect(url)
    packed = json.dumps([made.kind, made.text, made.name]).encode()
    response.set_cookie(
        MADE_COOKIE,
        base64.urlsafe_b64encode(packed).decode(),
        path=url,
        max_age=_LIFE_S,
        httponly=True,
        samesite="lax",
        secure=is_secure,
    )
    return response


def made_just_now(request: Request) -> Made | None:
    packed = request.cookies.get(MADE_COOKIE)
    if not packed:
        return None
    try:
        kind, text, name = json.loads(base64.urlsafe_b64decode(packed))
        return Made(kind, str(text), str(name))
    except (binascii.Error, ValueError, TypeError):
        return None


def forget(response: Response, url: str) -> Response:
    """A reload does not show it again."""
    response.delete_cookie(MADE_COOKIE, path=url)
    response.headers["Cache-Control"] = "no-store"
    return response
