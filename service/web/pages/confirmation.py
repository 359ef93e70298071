"""A page that asks before something is done; works without scripts."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request, Response, status

from service.web.pages.responses import render

# So many titles are shown of what is asked about.
MOST_TITLES = 10


@dataclass(frozen=True, slots=True)
class Question:
    """`action` is where the form goes, with the hidden `fields`; `cancel` is the way back. `titles`
    are the first ones of what it is about, and there are `more`.
    """

    title: str
    detail: str
    button: str
    action: str
    cancel: str
    fields: Sequence[tuple[str, str]] = ()
    titles: Sequence[str] = ()
    more: int = 0
    is_harmless: bool = False


def ask(
    request: Request,
    question: Question,
    *,
    board_id: str | None = None,
    status_code: int = status.HTTP_200_OK,
) -> Response:
    context = {"question": question}
    return render(
        request, "shared/confirm.html", context, board_id=board_id, status_code=status_code
    )
