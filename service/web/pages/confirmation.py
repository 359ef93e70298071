"""A page that asks for confirmation before an action. It works without scripts."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request, Response, status

from service.web.pages.responses import render

# A confirmation lists at most so many titles.
SHOWN_TITLES = 10


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The form with the hidden `fields` is sent to `action`; `cancel` is a link.

    `titles` are those of the first ideas that are affected, and `more` counts the others.
    """

    title: str
    detail: str
    button: str
    action: str
    cancel: str
    fields: Sequence[tuple[str, str]] = ()
    titles: Sequence[str] = ()
    more: int = 0
    is_destructive: bool = True


def confirmation_page(
    request: Request,
    question: Confirmation,
    *,
    board_id: str | None = None,
    status_code: int = status.HTTP_200_OK,
) -> Response:
    context = {"question": question}
    return render(
        request, "shared/confirm.html", context, board_id=board_id, status_code=status_code
    )
