"""The third-party files in static/vendor are the recorded ones: published, or made by a script."""

import hashlib
import json
from pathlib import Path

import pytest

VENDOR = Path(__file__).resolve().parents[2] / "static" / "vendor"
PACKAGES = json.loads((VENDOR / "vendor.json").read_text())["packages"]
FILES = {entry["file"]: entry["sha256"] for package in PACKAGES for entry in package["files"]}


def test_vendored_files_have_the_recorded_hashes() -> None:
    hashes = {name: hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() for name in FILES}

    assert hashes
    assert hashes == FILES


def test_every_vendored_file_is_recorded() -> None:
    assert {path.name for path in VENDOR.iterdir()} == {*FILES, "vendor.json"}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package["name"])
def test_a_vendored_package_brings_its_licence(package: dict[str, object]) -> None:
    assert package["version"]
    assert package["licence"]
    assert "LICENSE" in str(package["files"])
