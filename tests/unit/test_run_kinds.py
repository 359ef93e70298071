"""Run kinds are registered in one place for each layer, and nowhere else."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from service.ideation.kinds import KINDS
from service.schemas.fields import RunKind
from service.schemas.run_kinds import RECORDED_KINDS, kind_of
from service.schemas.runs import Task
from service.settings import PROJECT_ROOT
from service.web.pages.run_kinds import SHOWN_KINDS

NAMES: set[str] = set(get_args(RunKind))
SERVICE = PROJECT_ROOT / "service"
REGISTRIES = {
    SERVICE / "schemas" / "fields.py",  # RunKind itself
    SERVICE / "schemas" / "run_kinds.py",
    SERVICE / "ideation" / "kinds.py",
    SERVICE / "web" / "pages" / "run_kinds.py",
}
# They know no runs: the engine's roles, what models can do, and the commands have names of their own.
APART = (SERVICE / "engine", SERVICE / "cli", SERVICE / "web" / "abilities.py")


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SERVICE.rglob("*.py")):
        if path not in REGISTRIES and not any(path.is_relative_to(one) for one in APART):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def strings(nodes: list[ast.expr | None]) -> set[str]:
    return {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def named_in_a_table(node: ast.AST) -> set[str]:
    """The kinds that a dictionary has as keys, or that a list, tuple or set holds."""
    if isinstance(node, ast.Dict):
        return strings(list(node.keys)) & NAMES
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return strings(list(node.elts)) & NAMES
    return set()


def compared_with(function: ast.AST) -> set[str]:
    """The kinds that a function compares something with."""
    return {
        name
        for node in ast.walk(function)
        if isinstance(node, ast.Compare | ast.MatchValue)
        for name in strings(
            [node.value] if isinstance(node, ast.MatchValue) else [node.left, *node.comparators]
        )
        & NAMES
    }


def classes_told_apart(function: ast.AST) -> set[str]:
    """The task and work classes that a function looks for with `isinstance`."""
    return {
        name.id
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "isinstance"
        for name in ast.walk(node.args[1])
        if isinstance(name, ast.Name) and name.id.endswith(("Task", "Work"))
    }


@pytest.mark.parametrize("registry", [RECORDED_KINDS, KINDS, SHOWN_KINDS])
def test_every_registry_has_every_kind(registry: dict[str, object]) -> None:
    assert set(registry) == NAMES


def test_every_task_belongs_to_one_kind() -> None:
    tasks = [kind.task for kind in RECORDED_KINDS.values()]

    assert set(tasks) == set(get_args(Task))
    assert len(tasks) == len(set(tasks))


def test_the_kind_of_a_task_is_found_by_its_class() -> None:
    for name, kind in RECORDED_KINDS.items():
        task: type[Any] = kind.task
        assert kind_of(task.model_construct()) == name


def test_every_kind_has_its_template() -> None:
    for kind in SHOWN_KINDS.values():
        assert (PROJECT_ROOT / "templates" / kind.template).is_file()


def test_answers_have_a_field_for_all_that_a_run_makes() -> None:
    for kind in RECORDED_KINDS.values():
        assert {items.field for items in kind.items} <= set(kind.answer.model_fields)


def test_no_other_module_has_a_table_of_kinds() -> None:
    tables = [
        f"{path.relative_to(PROJECT_ROOT)}:{node.lineno}"
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.expr) and len(named_in_a_table(node)) > 1
    ]

    assert tables == []


def test_no_other_function_tells_kinds_apart() -> None:
    chains = [
        f"{path.relative_to(PROJECT_ROOT)}:{node.lineno}"
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (len(compared_with(node)) > 1 or classes_told_apart(node))
    ]

    assert chains == []
