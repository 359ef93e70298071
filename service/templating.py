"""The Jinja environment: escaping on, undefined names refused, static files under hashed URLs."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from starlette.types import Scope

from service import markdown
from service.diff import word_diff
from service.settings import PROJECT_ROOT

TEMPLATES = PROJECT_ROOT / "templates"
STATIC = PROJECT_ROOT / "static"
STATUS_NAMES = {
    "draft": "Draft",
    "kept": "Kept",
    "in-progress": "In progress",
    "done": "Done",
    "archived": "Archived",
}
_UNITS = ((86400 * 365, "y"), (86400 * 30, "mo"), (86400, "d"), (3600, "h"), (60, "min"))


def build_templates() -> Jinja2Templates:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "markdown": markdown.render,
        "excerpt": markdown.excerpt,
        "age": age,
        "clock": clock,
        "plural": plural,
        "water": water,
    }
    environment.globals |= {
        "static": _StaticUrls(STATIC),
        "status_names": STATUS_NAMES,
        "word_diff": word_diff,
    }
    return Jinja2Templates(env=environment)


class _StaticUrls:
    """A URL that changes with the file, so that browsers may keep it for ever."""

    def __init__(self, folder: Path) -> None:
        self._hashes = {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()[:12]
            for path in folder.rglob("*")
            if path.is_file()
        }

    def __call__(self, name: str) -> str:
        return f"/static/{name}?v={self._hashes[name]}"


class StaticAssets(StaticFiles):
    """Serves the folder; what is asked for under its hashed URL may be kept for ever."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC)

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        is_hashed = "v" in QueryParams(scope.get("query_string", b""))
        response.headers["Cache-Control"] = (
            "public, max-age=31536000, immutable" if is_hashed else "no-cache"
        )
        return response


def age(moment: datetime) -> str:
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"


def clock(seconds: float) -> str:
    minutes, rest = divmod(max(0, int(seconds)), 60)
    return f"{minutes}:{rest:02d}" if minutes else f"{rest} s"


def plural(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def water(score: float) -> str:
    """The points of the water in the glass that shows a score of up to 10.

    The glass of `macros.html` stands from y=25 up to y=3 and widens from 14 to 18 units.
    """
    top = 25 - 20 * min(max(score, 0.0), 10.0) / 10
    left = 3 + 2 * (top - 3) / 22
    return f"{left:.2f},{top:.2f} {24 - left:.2f},{top:.2f} 19,25 5,25"
