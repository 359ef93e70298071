"""Signs a browser in and out: redirects that set the cookie of its session, or delete it."""

from fastapi import Request, Response, status
from fastapi.responses import RedirectResponse

from service.store.keys import PERSON_SESSION_LIFE
from service.web.cookie_rules import SESSION_COOKIE
from service.web.root_path import ROOT_PATH


def signed_in(url: str, session: str) -> Response:
    """Redirects with the cookie of the session."""
    response = RedirectResponse(url, status.HTTP_303_SEE_OTHER)
    response.set_cookie(
        SESSION_COOKIE,
        session,
        # The session may be over earlier.
        max_age=int(PERSON_SESSION_LIFE.total_seconds()),
        httponly=True,
        samesite="lax",
    )
    return response


def signed_out(request: Request) -> Response:
    """Redirects to the page to sign in, without the cookie, and has the browser forget drafts and pages."""
    response = RedirectResponse("/login", status.HTTP_303_SEE_OTHER)
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax")
    # It is for a whole origin, which a server under a path shares with others.
    if ROOT_PATH not in request.scope:
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response
