"""A pytest plugin: what only training needs is not there, as on a machine that never trains.

`-p tests.support.without_training` holds the fast tests to what `make test-fast` installs.
"""

import re
import sys
import tomllib
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from service.settings import PROJECT_ROOT


def only_for_training(pyproject: Path) -> set[str]:
    """The modules of the extra `training` that no other part of the project asks for."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed = [_module(one) for one in (*project["dependencies"], *extras["dev"])]
    return {_module(one) for one in extras["training"]} - set(needed)


def _module(requirement: str) -> str:
    return re.split(r"[\[<>=]", requirement)[0].replace("-", "_").lower()


class Refusal:
    """Finds none of them, before Python looks for itself."""

    def __init__(self, names: set[str]) -> None:
        self._names = names

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] in self._names:
            raise ModuleNotFoundError(f"{name} is only there for training", name=name)
        return None


sys.meta_path.insert(0, Refusal(only_for_training(PROJECT_ROOT / "pyproject.toml")))
