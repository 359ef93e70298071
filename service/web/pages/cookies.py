"""The cookies that pages set: why, and for how long. A test finds every one in the code."""

from dataclasses import dataclass, replace
from datetime import timedelta

from starlette.types import Scope

from service.messages import Counted, Text
from service.store.keys import PERSON_SESSION_LIFE
from service.web.pages.board_layout import VIEW_COOKIE
from service.web.pages.preferences import LIFE_S
from service.web.pages.responses import FLASH_COOKIE, FLASH_LIFE_S
from service.web.pages.secrets_once import MADE_COOKIE
from service.web.pages.shared_links import NEW_LINK_COOKIE
from service.web.session_cookie import SESSION_COOKIE, session_cookie


@dataclass(frozen=True, slots=True)
class Cookie:
    name: str
    purpose: Text
    life: Text


def _days(life: timedelta) -> Text:
    return Counted("%(count)s day", "%(count)s days", life.days)


_MINUTES = Counted("%(count)s minute", "%(count)s minutes", FLASH_LIFE_S // 60)
_YEAR = _days(timedelta(seconds=LIFE_S))
COOKIES = (
    Cookie(
        SESSION_COOKIE,
        Text("Keeps you signed in, where signing in is needed."),
        _days(PERSON_SESSION_LIFE),
    ),
    Cookie("theme", Text("Remembers that you chose light or dark."), _YEAR),
    Cookie("language", Text("Remembers the language that you chose."), _YEAR),
    Cookie(VIEW_COOKIE, Text("Remembers how a board is shown: cards, lanes or a list."), _YEAR),
    Cookie("shortcuts", Text("Remembers whether single keys are shortcuts."), _YEAR),
    Cookie(FLASH_COOKIE, Text("Carries a message such as “Saved” to the next page."), _MINUTES),
    Cookie(MADE_COOKIE, Text("Shows a new link or key once, right after it is made."), _MINUTES),
    Cookie(NEW_LINK_COOKIE, Text("Shows a new link to a board once."), _MINUTES),
)


def cookies_of(scope: Scope) -> tuple[Cookie, ...]:
    """With the name that the one of the session has for such a request."""
    name = session_cookie(scope).name
    return tuple(replace(one, name=name) if one.name == SESSION_COOKIE else one for one in COOKIES)
