"""The README says what is there."""

import re

import pytest

from service.settings import PROJECT_ROOT, Settings
from training.inference.endpoint import KEY_VARIABLE

README = (PROJECT_ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented_with_its_meaning(name: str) -> None:
    description = Settings.model_fields[name].description or ""

    assert f"| `IDEAPOOL_{name.upper()}` |" in README
    assert description in README


def test_no_documented_setting_is_unknown() -> None:
    named = set(re.findall(r"IDEAPOOL_[A-Z_]+\b", README))

    assert named - {f"IDEAPOOL_{name.upper()}" for name in Settings.model_fields} == {KEY_VARIABLE}


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(((?!http|#)[^)]+)\)", README))))
def test_every_linked_file_is_there(path: str) -> None:
    assert (PROJECT_ROOT / path).exists()
