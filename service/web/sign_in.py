"""Signs a browser in: a redirect that sets the cookie of its session."""

from fastapi import Request, Response, status
from fastapi.responses import RedirectResponse

from service.store.keys import PERSON_SESSION_LIFE
from service.web.guard import SESSION_COOKIE


def signed_in(request: Request, url: str, session: str) -> Response:
    """Redirects with the cookie of the session."""
    response = RedirectResponse(url, status.HTTP_303_SEE_OTHER)
    response.set_cookie(
        SESSION_COOKIE,
        session,
        # The session may be over earlier.
        max_age=int(PERSON_SESSION_LIFE.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response
