"""The cookies that pages set: why, and for how long. A test finds every one in the code."""

from dataclasses import dataclass, replace
from datetime import timedelta

from starlette.types import Scope

from service.messages import Counted, Text
from service.store.keys import PERSON_SESSION_LIFE
from service.web.cookie_rules import SESSION_COOKIE, VIEW_COOKIE, cookie_name
from service.web.pages.preferences import LIFE_S
from service.web.pages.responses import FLASH_COOKIE, FLASH_LIFE_S
from service.web.pages.secrets_once import MADE_COOKIE


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
)


def cookies_of(scope: Scope) -> tuple[Cookie, ...]:
    """With the names that they have for such a request."""
    return tuple(replace(one, name=cookie_name(scope, one.name)) for one in COOKIES)
