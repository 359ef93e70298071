"""How a board is shown: cards, a list or lanes. The address says so, and a cookie of the board remembers."""

from fastapi import Request, Response

from service.web.cookie_rules import VIEW_COOKIE
from service.web.pages.forms import BoardQuery
from service.web.pages.preferences import LIFE_S

_CARDS = "boards/_card.html"
_TEMPLATES = {"list": "boards/_row.html"}


def with_layout(request: Request, query: BoardQuery) -> BoardQuery:
    """The query with the view that was chosen last, unless the address names one.

    Cards and statuses are what nobody has to choose, so they are None.
    """
    view, by = query.view, query.by
    if view is None:
        remembered = request.cookies.get(VIEW_COOKIE, "").split(".")
        view = next((one for one in ("list", "lanes") if one == remembered[0]), None)
        by = by or ("tag" if remembered[1:] == ["tag"] else None)
    return query.model_copy(
        update={"view": None if view == "cards" else view, "by": "tag" if by == "tag" else None}
    )


def remember_layout(
    request: Request, response: Response, board_id: str, query: BoardQuery
) -> Response:
    """Keeps the view of an address that names one. `query` has the view that is shown."""
    if "view" in request.query_params and "X-Live" not in request.headers:
        response.set_cookie(
            VIEW_COOKIE,
            f"{query.view or 'cards'}.{query.by or 'status'}",
            max_age=LIFE_S,
            # Only this board's pages need it.
            path=f"/boards/{board_id}",
            httponly=True,
            samesite="lax",
        )
    return response


def card_template(query: BoardQuery) -> str:
    return _TEMPLATES.get(query.view or "", _CARDS)
