"""How the reference pages are made: of settings, commands, modules and the REST API."""

import argparse
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field
from pydantic_settings import BaseSettings

from docs.generate import setting_page
from docs.generate.command_pages import command_page
from docs.generate.markdown import anchor, sentence, table
from docs.generate.module_page import module_page, purpose
from docs.generate.rest_pages import rest_pages
from docs.generate.shapes import type_of


def test_a_table_keeps_its_form_whatever_its_cells_hold() -> None:
    assert table(("a", "b"), [("x | y", "two\nlines")]).splitlines() == [
        "| a | b |",
        "|---|---|",
        "| x \\| y | two lines |",
    ]
    assert table(("a",), []) == ""


def test_help_becomes_a_sentence() -> None:
    assert sentence("address to bind") == "Address to bind."
    assert sentence("what the ideas are for?") == "What the ideas are for?"
    assert sentence("") == ""


def test_a_heading_has_the_anchor_that_readers_link_to() -> None:
    assert anchor("GET /api/v1/ideas/{idea_id}") == "get-apiv1ideasidea_id"
    assert anchor("What falls short") == "what-falls-short"


class Few(BaseSettings):
    host: str = Field("here", description="Where it is.")
    wait_s: float = Field(10, gt=0, le=60, description="How long.")
    size_bytes: int | None = Field(None, ge=1024, description="How much.")
    level: Literal["low", "high"] = Field("low", description="How loud.")
    folder: Path = Field(Path("/project/data"), description="Where things lie.")


def test_a_setting_is_shown_with_default_unit_and_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setting_page, "GROUPS", {"host": "One", "level": "Two"})

    lines = setting_page.setting_page(Few, Path("/project")).splitlines()

    assert (
        "| `wait_s` | `IDEAPOOL_WAIT_S` | `10` | seconds, above 0, at most 60 | How long. |"
        in lines
    )
    assert (
        "| `size_bytes` | `IDEAPOOL_SIZE_BYTES` | – | bytes, at least 1,024 | How much. |" in lines
    )
    assert "| `level` | `IDEAPOOL_LEVEL` | `low` | `low`, `high` | How loud. |" in lines
    assert "| `folder` | `IDEAPOOL_FOLDER` | `data` |  | Where things lie. |" in lines
    assert lines.index("## One") < lines.index("## Two")


def test_a_group_that_begins_at_no_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setting_page, "GROUPS", {"host": "One", "gone": "Two"})

    with pytest.raises(ValueError, match="gone"):
        setting_page.setting_page(Few, Path("/project"))


def test_a_command_is_shown_with_its_arguments_and_options() -> None:
    parser = argparse.ArgumentParser(prog="tool", description="does things")
    commands = parser.add_subparsers()
    group = commands.add_parser("ideas", help="the ideas").add_subparsers()
    add = group.add_parser("add", help="a new one")
    add.add_argument("title", nargs="+", help="its title")
    add.add_argument("--board", required=True, metavar="NAME", help="where")
    add.add_argument("-o", "--out", default="x", help="default: %(default)s")
    add.add_argument("--star", action=argparse.BooleanOptionalAction)
    add.add_argument("--kind", choices=("a", "b"), help="what it is")

    page = command_page(parser, title="Commands")

    assert "Does things." in page
    assert page.index("## `tool ideas`") < page.index("### `tool ideas add`")
    assert "tool ideas add TITLE… --board NAME [options]" in page
    assert "| `-o`, `--out OUT` | Default: x. |" in page
    assert "| `--star`, `--no-star` |" in page
    assert "| `--kind KIND` | What it is. One of `a`, `b`. |" in page


def test_a_module_is_shown_with_the_first_sentence_of_its_docstring(tmp_path: Path) -> None:
    package = tmp_path / "package"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text('"""All of it. And more."""\n')
    (package / "one.py").write_text('"""Reads files\nof a kind: `a.b`, c. Knows nothing else."""\n')
    (package / "inner" / "two.py").write_text('"""Two."""\n')

    page = module_page(tmp_path, ["package"])

    assert purpose(package / "one.py") == "Reads files of a kind: `a.b`, c."
    assert "## package/\n\nAll of it.\n" in page
    assert "| `one.py` | Reads files of a kind: `a.b`, c. |" in page
    assert "## package/inner/" in page


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "integer", "minimum": 1.0, "maximum": 20.0}, "integer (1 to 20)"),
        ({"type": "number", "maximum": 0.5}, "number (at most 0.5)"),
        ({"type": "string", "format": "date-time"}, "date-time"),
        (
            {"type": "array", "maxItems": 3, "items": {"type": "string"}},
            "list (at most 3) of string",
        ),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
        ({"$ref": "#/components/schemas/Idea"}, "[`Idea`](shapes.md#idea)"),
        ({"enum": ["a", "b"]}, "`a`, `b`"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "object of number"),
        ({}, "any value"),
    ],
)
def test_a_type_is_put_in_words(schema: dict[str, Any], text: str) -> None:
    assert type_of(schema, "shapes") == text


def test_a_call_is_shown_with_its_body_and_answers() -> None:
    document = {
        "paths": {
            "/ideas": {
                "post": {
                    "tags": ["ideas"],
                    "summary": "Add an idea",
                    "requestBody": {
                        "content": {
                            "application/json": {
                                "schema": {"$ref": "#/components/schemas/Idea"},
                                "example": {"title": "Räksmörgås"},
                            },
                            "text/plain": {},
                        }
                    },
                    "responses": {
                        "201": {
                            "description": "Added.",
                            "content": {
                                "application/json": {
                                    "schema": {"$ref": "#/components/schemas/Idea"}
                                }
                            },
                        },
                        "401": {"description": "No key."},
                        "404": {"description": "No board."},
                    },
                }
            }
        },
        "components": {
            "schemas": {
                "Idea": {"required": ["title"], "properties": {"title": {"type": "string"}}}
            }
        },
    }

    pages = rest_pages(document)

    assert list(pages) == ["rest-reference.md", "rest/ideas.md", "rest/shapes.md"]
    assert "[`POST /ideas`](rest/ideas.md#post-ideas) | Add an idea." in pages["rest-reference.md"]
    assert "| `401` | No key. |" in pages["rest-reference.md"]
    assert '"title": "Räksmörgås"' in pages["rest/ideas.md"]
    assert "Also `text/plain`." in pages["rest/ideas.md"]
    assert "| `201` | [`Idea`](shapes.md#idea) | Added. |" in pages["rest/ideas.md"]
    assert "`401`" not in pages["rest/ideas.md"]
    assert "| `title` | string | yes |  |" in pages["rest/shapes.md"]
