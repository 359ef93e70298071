"""Stores preferences in cookies: theme, language, and whether single keys are shortcuts."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response

from service.web.pages.responses import redirect_back
from service.web.translation import LANGUAGES

LIFE_S = 365 * 24 * 3600
router = APIRouter()


@router.post("/theme")
def choose_theme(
    request: Request, theme: Annotated[Literal["auto", "light", "dark"], Form()]
) -> Response:
    return _remember(request, "theme", theme)


@router.post("/shortcuts")
def choose_shortcuts(
    request: Request, shortcuts: Annotated[Literal["on", "off"], Form()]
) -> Response:
    return _remember(request, "shortcuts", shortcuts)


@router.post("/language")
def choose_language(request: Request, language: Annotated[str, Form(max_length=20)]) -> Response:
    """Any unknown value means the language of the browser."""
    return _remember(request, "language", language if language in LANGUAGES else "auto")


def _remember(request: Request, name: str, value: str) -> Response:
    response = redirect_back(request, "/")
    # Not `httponly`, because the page's script sets some itself to switch without a reload.
    response.set_cookie(name, value, max_age=LIFE_S, samesite="lax")
    return response
