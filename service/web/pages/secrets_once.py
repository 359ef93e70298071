"""Shows a new link or key once: a cookie carries it from the form to the page that shows it."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Literal

from fastapi import Request, Response

from service.web.pages.responses import Flash, redirect

MADE_COOKIE = "ideapool_made"
_LIFE_S = 120
Kind = Literal["link", "key"]


@dataclass(frozen=True, slots=True)
class Made:
    """`text` is the link or the key; `name` says what it is for."""

    kind: Kind
    text: str
    name: str = ""


def redirect_with(url: str, made: Made, flash: Flash | None = None) -> Response:
    response = redirect(url, flash)
    packed = json.dumps([url, made.kind, made.text, made.name]).encode()
    response.set_cookie(
        MADE_COOKIE,
        base64.urlsafe_b64encode(packed).decode(),
        max_age=_LIFE_S,
        httponly=True,
        samesite="lax",
    )
    return response


def made_just_now(request: Request, url: str) -> Made | None:
    """What the page at this address has to show."""
    packed = request.cookies.get(MADE_COOKIE)
    if not packed:
        return None
    try:
        page, kind, text, name = json.loads(base64.urlsafe_b64decode(packed))
    except (binascii.Error, ValueError, TypeError):
        return None
    return Made(kind, str(text), str(name)) if page == url else None


def forget(response: Response, made: Made | None) -> Response:
    """A reload does not show it again."""
    if made is not None:
        response.delete_cookie(MADE_COOKIE)
    response.headers["Cache-Control"] = "no-store"
    return response
