"""Templates use only known names, have short lines and obey the content security policy."""

import gzip
import re
from pathlib import Path
from typing import get_args

import pytest
from jinja2 import Environment, meta

from service.schemas.fields import RunKind
from service.web.templating import STATIC, TEMPLATES, Templates, clock, water

FILES = sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html"))
# Names that routes pass to pages, and templates to those that they include.
CONTEXT = set(
    "charts has_bars rough is_default places titles "
    "actor board_name board_names invitation invitations keys made me people person role_meanings role_names "
    "key_lives scope_meanings scope_names sessions why "
    "start templates in_place_of groups version served model_names place is_postgresql outgoing texts_leave cookies logs_addresses "
    "toast under_way open_round waits_for_people rounds round has_people minutes moment ideas likeness level_names "
    "engine_states findings states subjects problems fetched can_be_calibrated models measuring_error scores is_calibrating taste tags_found columns can was_awaited evaluation_is_shown "
    "board_names deliveries formats here kind_names links made off_reasons origin secret webhook webhooks "
    "actions fault faults fields formats guess moment options plan printed reasons target token "
    "days deleted deleted_at in_trash left most_in_a_fact question address limits refused sent "
    "comment comments consensus writer has_more_children older version_count "
    "corrected typed groups q found has_more "
    "archived boards card gone here here_selected is_page is_picked kinds runs shown tags to topics with_archived with_bar "
    "fewer found map near problem summary tree trees "
    "action criteria most new outdated rubric rubrics spread table uncalibrated usual widths "
    "after agreement ballot before board children choice close compared count detail earlier edit edits error "
    "evaluation flash idea is_bare key view_name mine methods more most page pair parent parts presets query recent request rows run_id scores shell skips sorts "
    "area by cards colour drawing from groupings name size "
    "lane lanes more_of view_links lane_links filtered "
    "field files has_controls place "
    "card each me people under_way status tags text title ui verdicts versions view vote votes words".split()
)
FORBIDDEN = {
    "inline script": r"<script(?![^>]*\bsrc=)",
    "inline style": r"\sstyle\s*=|<style",
    "an event attribute": r"\son\w+\s*=|\shx-on",
    "an attribute that htmx would evaluate": r"hx-[\w:-]+\s*=\s*[\"'](js|javascript):|hx-trigger=\"[^\"]*\[",
    "another origin": r"(src|href|action)\s*=\s*[\"'](https?:)?//",
    "an unescaped value": r"\{\{(?![^}]*shapes\[name\])(?![^}]*replace-url)[^}]*\|\s*safe",
}


@pytest.fixture(scope="module")
def environment() -> Environment:
    return Templates().environment()


def test_templates_can_be_loaded_and_use_only_known_names(environment: Environment) -> None:
    known = CONTEXT | set(environment.globals)
    unknown = {}
    for name in FILES:
        environment.get_template(name)
        tree = environment.parse((TEMPLATES / name).read_text())
        unknown[name] = meta.find_undeclared_variables(tree) - known

    assert unknown
    assert {name: names for name, names in unknown.items() if names} == {}


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_templates_obey_the_content_security_policy(kind: str) -> None:
    found = {
        name: re.findall(FORBIDDEN[kind], (TEMPLATES / name).read_text(), re.IGNORECASE)
        for name in FILES
    }

    assert found
    assert {name: parts for name, parts in found.items() if parts} == {}


def test_stylesheets_load_nothing_and_stay_small() -> None:
    sheets = {path.name: path.read_bytes() for path in STATIC.glob("*.css")}

    assert "app.css" in sheets
    for name, sheet in sheets.items():
        assert re.findall(rb"url\((?!\"(?:data:|vendor/))", sheet) == [], name
        assert b"@import" not in sheet, name
        assert len(gzip.compress(sheet)) < 10 * 1024, name


def test_the_stylesheet_names_fonts_by_their_content(environment: Environment) -> None:
    """As the links that preload them do, so that no font is fetched twice or kept for too long."""
    fonts = re.findall(
        r"url\(\"(vendor/[\w-]+\.woff2)(\?v=\w+)\"", (STATIC / "app.css").read_text()
    )
    static = environment.globals["static"]

    assert {name for name, _ in fonts} == {
        path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*.woff2")
    }
    assert callable(static)
    assert [f"/static/{name}{version}" for name, version in fonts] == [
        static(name) for name, _ in fonts
    ]


def test_templates_are_compiled_once_for_all_apps_of_a_process() -> None:
    first, second = Templates(), Templates()

    assert first.environment("sv") is second.environment("sv")
    assert first.environment("sv") is not first.environment("en")


def test_no_line_of_a_template_is_long() -> None:
    lines = [
        (f"{name}:{number}", len(line))
        for name in FILES
        for number, line in enumerate((TEMPLATES / name).read_text().splitlines(), start=1)
    ]

    assert lines
    assert [place for place, length in lines if length > 140] == []


def test_a_static_url_names_the_content(environment: Environment) -> None:
    url = environment.from_string("{{ static('app.css') }}").render()

    assert re.fullmatch(r"/static/app\.css\?v=[0-9a-f]{12}", url)
    with pytest.raises(KeyError):
        environment.from_string("{{ static('no-such.css') }}").render()


def test_every_partial_is_included_somewhere() -> None:
    texts = "".join(path.read_text() for path in (*TEMPLATES.rglob("*.html"), *_routes()))
    partials = [name for name in FILES if Path(name).name.startswith("_")]
    kinds = {f"runs/_run_{kind}.html" for kind in get_args(RunKind)}

    assert [name for name in partials if name not in kinds and f'"{name}"' not in texts] == []


def _routes() -> list[Path]:
    return list((TEMPLATES.parent / "service" / "web").rglob("*.py"))


def test_a_running_time_shows_minutes_from_one_minute_on() -> None:
    assert clock(9.7) == "9 s"
    assert clock(75) == "1:15"


def test_the_glass_is_empty_at_zero_and_full_at_ten() -> None:
    assert water(0) == "5.00,25.00 19.00,25.00 19,25 5,25"
    assert water(10).split()[0] == "3.18,5.00"
    assert water(99) == water(10)
