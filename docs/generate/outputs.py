"""Every generated file of the documentation, by its path in the repository."""

import argparse
import tomllib
from collections.abc import Iterable

from docs.generate import architecture
from docs.generate.command_pages import command_page
from docs.generate.module_page import module_page
from docs.generate.rest_pages import rest_pages
from docs.generate.setting_page import setting_page
from service.app import create_app
from service.cli.main import build_parser as service_parser
from service.settings import PROJECT_ROOT, Settings
from training.cli.main import build_parser as training_parser

ROOT = PROJECT_ROOT

# Only generated pages lie here, so a page that is no longer made can be told from a written one.
REST_FOLDER = "docs/use/rest"


def outputs() -> dict[str, str]:
    """Path to content. Nothing of it depends on the environment or on what is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {
        "docs/operate/settings.md": setting_page(Settings, ROOT),
        "docs/use/commands.md": _commands(service_parser(), "`ideapool`"),
        "docs/train/commands.md": _commands(training_parser(), "`ideapool-train`"),
        "docs/design/modules.md": module_page(ROOT, ("service", "training")),
        "docs/images/layers.svg": architecture.picture(architecture.layers(project)),
        **{f"docs/use/{name}": page for name, page in rest_pages(_api()).items()},
    }


def strays(written: Iterable[str]) -> list[str]:
    """Files in a folder of generated pages that are not among them."""
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / REST_FOLDER).glob("*")}
    return sorted(there - set(written))


def _commands(parser: argparse.ArgumentParser, program: str) -> str:
    return command_page(parser, title=f"{program} commands")


def _api() -> dict[str, object]:
    fields = Settings.model_fields.items()
    defaults = {name: field.default for name, field in fields if field.default_factory is None}
    # What is given counts more than the environment.
    document: dict[str, object] = create_app(Settings(**defaults)).openapi()
    return document
