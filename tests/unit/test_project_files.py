"""What the files around the code promise: one version, typed packages, checks for every change."""

import re
import tomllib
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager

import service
from service.app import create_app
from service.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_version_is_in_one_place(tmp_path: Path) -> None:
    metadata = ProjectMetadata(str(ROOT), PluginManager())
    label = re.search(r'image\.version="(.*)"', (ROOT / "Dockerfile").read_text())

    assert "version" not in PROJECT["project"]
    assert metadata.version == service.__version__
    assert create_app(Settings(data_dir=tmp_path)).version == service.__version__
    assert label is not None
    assert label[1] == "$VERSION"


def test_the_newest_release_of_the_changelog_is_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## \[(.+?)\](.*)$", changelog, re.MULTILINE)

    assert headings[0] == ("Unreleased", "")
    assert headings[1][0] == service.__version__
    assert all(re.fullmatch(r" - \d{4}-\d\d-\d\d", date) for _, date in headings[1:])


@pytest.mark.parametrize("package", ["service", "training"])
def test_the_package_says_that_it_is_typed(package: str) -> None:
    files = {one.distribution_path for one in WheelBuilder(str(ROOT)).recurse_included_files()}

    assert f"{package}/__init__.py" in files
    assert f"{package}/py.typed" in files
