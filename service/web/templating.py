"""The Jinja environments, which escape values and refuse undefined names, and the static files."""

import hashlib
import mimetypes
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from service.actor import ACTOR, Role
from service.analysis.insight import insight, leading, listed
from service.analysis.ties import overall_error
from service.messages import Text, Value
from service.prompts.languages import IDEA_LANGUAGES
from service.schemas.evaluation import DEFAULT_NAMES
from service.schemas.people import RoleName, role_of
from service.settings import RESOURCES
from service.store.access import highest
from service.store.limits import in_bytes
from service.text.diff import word_diff
from service.web import markdown
from service.web.abilities import NAMES as ABILITY_NAMES
from service.web.allowed_forms import without_forbidden
from service.web.board_views import board_views
from service.web.charts import share
from service.web.cookie_rules import cookie_attributes, cookie_name
from service.web.guard import STRANGERS_PREFIXES
from service.web.kept_cards import KeptCards
from service.web.root_path import with_addresses_under
from service.web.sent_forms import NO_REFUSAL
from service.web.tag_colours import tag_class
from service.web.translation import DEFAULT, LANGUAGES, Translator, choose

TEMPLATES = RESOURCES / "templates"
STATIC = RESOURCES / "static"
# Python and small images know no type for fonts.
mimetypes.add_type("font/woff2", ".woff2")
STATUS_NAMES = {
    "draft": Text("Draft"),
    "kept": Text("Kept"),
    "in-progress": Text("In progress"),
    "done": Text("Done"),
    "archived": Text("Archived"),
}


class Templates:
    """Renders the pages. Each language has an environment, so that macros are translated, too."""

    def __init__(self, root_path: str = "") -> None:
        self._environments = {name: _environment(name) for name in LANGUAGES}
        self._root_path = root_path

    def environment(self, language: str = DEFAULT) -> Environment:
        return self._environments[language]

    def render(self, request: Request, template: str, context: Mapping[str, Any]) -> str:
        language = language_of(request)
        page = self._environments[language].get_template(template)
        state = request.app.state
        html = page.render(
            context,
            request=request,
            limits=state.store.limits,
            refused=getattr(request.state, "refusal", NO_REFUSAL),
        )
        return with_addresses_under(self._root_path, _allowed(request, html, context))

    def respond(
        self,
        request: Request,
        template: str,
        context: Mapping[str, Any],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        response = HTMLResponse(self.render(request, template, context), status_code, headers)
        response.headers["Content-Language"] = language_of(request)
        # The page depends on the cookies for the language and the theme.
        for name in ("Accept-Language", "Cookie"):
            response.headers.add_vary_header(name)
        return response


def _allowed(request: Request, html: str, context: Mapping[str, Any]) -> str:
    if ACTOR.get().may_do_everything or request.url.path.startswith(STRANGERS_PREFIXES):
        return html
    access = request.app.state.access
    shell, board = context.get("shell"), context.get("board")
    board_id = getattr(shell, "board_id", None) or getattr(board, "id", None)
    return without_forbidden(html, lambda path: bool(access.may_post(path, board_id)))


def language_of(request: Request) -> str:
    return choose(request.cookies.get("language"), request.headers.get("accept-language", ""))


@cache
def _environment(language: str) -> Environment:
    """All apps of a process share it: to compile a page's templates takes ten times as long as to
    render them.
    """
    translator = Translator(language)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        # Translates each Text that a page shows.
        finalize=lambda value: translator.text(value) if isinstance(value, Text) else value,
    )
    environment.policies["ext.i18n.trimmed"] = True
    _install(environment, translator)
    environment.filters |= {
        "initials": initials,
        "markdown": markdown.as_html,
        "in_bytes": in_bytes,
        "excerpt": markdown.excerpt,
        "age": translator.age,
        "bucket": translator.bucket,
        "day": translator.day,
        "clock": clock,
        "number": translator.number,
        "score": translator.score,
        "tag_class": tag_class,
        "time": translator.time,
        "translate": translator.text,
        "water": water,
    }
    environment.globals |= {
        "language": language,
        "default_criteria": list(DEFAULT_NAMES),
        "insight": insight,
        "leading": leading,
        "listed": listed,
        "may": may,
        "may_anywhere": may_anywhere,
        "idea_languages": dict(translator.languages(IDEA_LANGUAGES)),
        "languages": LANGUAGES,
        "static": _static_urls(),
        "ability_names": ABILITY_NAMES,
        "board_views": board_views,
        "cookie_attributes": cookie_attributes,
        "cookie_name": cookie_name,
        "card": KeptCards(environment, translator.age),
        "status_names": STATUS_NAMES,
        "overall_error": overall_error,
        "share": share,
        "word_diff": word_diff,
    }
    return environment


def _install(environment: Environment, translator: Translator) -> None:
    """Installs the functions behind `_()` and `{% trans %}`.

    Jinja's own do not format numbers for the language. Only constants of templates are marked as
    safe here, and their values are escaped; texts from routes use the filter `translate`.
    """

    def gettext(message: str, **values: Value) -> str:
        return Markup(translator.message(message)) % translator.translated_values(values)

    def ngettext(one: str, many: str, num: int, **values: Value) -> str:
        formatted = translator.translated_values({"num": num, **values})
        return Markup(translator.plural(one, many, num)) % formatted

    environment.newstyle_gettext = True  # type: ignore[attr-defined]
    environment.globals |= {"_": gettext, "gettext": gettext, "ngettext": ngettext}


def may(role: RoleName, board_id: str = "") -> bool:
    """Whether whoever acts has the role on the board, or on every board, and their key lets it through."""
    return _reaches(role, ACTOR.get().role_on(board_id))


def may_anywhere(role: RoleName) -> bool:
    return _reaches(role, highest(ACTOR.get()))


def _reaches(role: RoleName, held: Role | None) -> bool:
    return min(held or 0, ACTOR.get().scope.highest_role) >= role_of(role)


class _StaticUrls:
    """URLs that change with the content of a file, so that browsers may cache it forever."""

    def __init__(self, folder: Path) -> None:
        self._hashes = {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()[:12]
            for path in folder.rglob("*")
            if path.is_file()
        }

    def __call__(self, name: str) -> str:
        return f"/static/{name}?v={self._hashes[name]}"


@cache
def _static_urls() -> _StaticUrls:
    return _StaticUrls(STATIC)


class StaticAssets(StaticFiles):
    """Serves the static files; browsers may cache those with a hashed URL forever."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC)

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        is_hashed = "v" in QueryParams(scope.get("query_string", b""))
        response.headers["Cache-Control"] = (
            "public, max-age=31536000, immutable" if is_hashed else "no-cache"
        )
        return response


def clock(seconds: float) -> str:
    minutes, rest = divmod(max(0, int(seconds)), 60)
    return f"{minutes}:{rest:02d}" if minutes else f"{rest} s"


def initials(name: str) -> str:
    """At most two letters, of the first and the last word."""
    words = name.split()
    return (
        "".join(word[0] for word in dict.fromkeys((words[0], words[-1]))).upper() if words else "?"
    )


def water(score: float) -> str:
    """The SVG points of the water in the glass that shows a score from 0 to 10.

    The glass in `shared/macros.html` reaches from y=25 up to y=3 and widens from 14 to 18 units.
    """
    top = 25 - 20 * min(max(score, 0.0), 10.0) / 10
    left = 3 + 2 * (top - 3) / 22
    return f"{left:.2f},{top:.2f} {24 - left:.2f},{top:.2f} 19,25 5,25"
