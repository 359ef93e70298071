"""The page of the modules, from their docstrings: read as text, nothing is imported."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from docs.generate.markdown import code, page, table

INTRODUCTION = """\
What each module is for, in the first sentence of its docstring. [The architecture](architecture.md)
says what may import what."""
LEFT_OUT = {"__main__.py", "versions"}


def module_page(root: Path, packages: Iterable[str]) -> str:
    parts: list[str] = []
    for package in packages:
        for folder in _folders(root / package):
            rows = [(code(path.name), purpose(path)) for path in _modules(folder)]
            heading = folder.relative_to(root).as_posix()
            parts += [f"## {heading}/", _package(folder), table(("module", "what it is for"), rows)]
    return page("Modules", INTRODUCTION, *parts)


def purpose(path: Path) -> str:
    """The first sentence of the module's docstring; empty where it has none."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = " ".join(docstring.split("\n\n")[0].split())
    return re.split(r"(?<=[.!?]) (?=[A-Z`])", first)[0]


def _folders(top: Path) -> Iterator[Path]:
    """The package and those in it, each with modules of its own, by name."""
    for folder in [top, *sorted(path for path in top.rglob("*") if path.is_dir())]:
        if not LEFT_OUT & set(folder.parts) and any(_modules(folder)):
            yield folder


def _modules(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.glob("*.py") if path.name not in LEFT_OUT | {"__init__.py"}
    )


def _package(folder: Path) -> str:
    initial = folder / "__init__.py"
    return purpose(initial) if initial.exists() else ""
