"""What the image, the locks and the size of the code promise, read from the files."""

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import dockerfile
from tests.support.docker_context import Context

ROOT = Path(__file__).resolve().parents[2]
STAGES = (ROOT / "Dockerfile").read_text().split("\nFROM ")
IMAGE = STAGES[-1]
DOCKERFILE = dockerfile.read((ROOT / "Dockerfile").read_text())
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTEXT = Context((ROOT / ".dockerignore").read_text())
REPLICAS = ["replica-1", "replica-2"]
OWN = {"IDEAPOOL_REPLICA", "IDEAPOOL_CREATE_KEY"}
LOCKS = sorted(ROOT.glob("requirements*.lock"))
MODULES = sorted(
    path
    for package in ("service", "training")
    for path in (ROOT / package).rglob("*.py")
    if "migrations/versions" not in str(path)
)


def test_the_image_runs_as_a_numeric_non_root_user() -> None:
    users = re.findall(r"^USER (\S+)$", IMAGE, re.MULTILINE)

    assert users
    assert all(re.fullmatch(r"[1-9]\d*:[1-9]\d*", user) for user in users)


def test_the_image_starts_one_server_that_gets_the_stop_signal() -> None:
    assert re.findall(r"^CMD (.+)$", IMAGE, re.MULTILINE) == ['["ideapool", "serve"]']
    assert "STOPSIGNAL SIGTERM" in IMAGE
    assert "--workers" not in IMAGE


def test_the_image_has_one_volume_and_its_models_lie_outside_it() -> None:
    assert re.findall(r"^VOLUME (.+)$", IMAGE, re.MULTILINE) == ["/data"]
    assert "IDEAPOOL_DATA_DIR=/data" in IMAGE
    assert "IDEAPOOL_BUNDLED_MODELS_DIR=/app/" in IMAGE


def test_the_image_checks_its_health_with_what_it_has() -> None:
    check = IMAGE.partition("HEALTHCHECK")[2]

    assert '["python", "-c"' in check
    assert "/livez" in check


def test_base_images_are_pinned() -> None:
    bases = [stage.split()[0] for stage in STAGES[1:]]
    stages = set(re.findall(r" AS (\S+)", "".join(STAGES)))
    foreign = [base for base in bases if base not in stages and "${" not in base]

    assert foreign
    assert all(re.search(r":\d+\.\d+|@sha256:", base) for base in foreign)


def test_the_image_installs_only_what_the_locks_name() -> None:
    installs = re.findall(r"pip (?:install|wheel) .*", "".join(STAGES).replace("\\\n", " "))

    assert installs
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)


def test_everything_that_is_copied_is_let_through_to_the_builder() -> None:
    sources = [source for stage in DOCKERFILE.stages for source, _ in stage.copied()]
    whole = [path for source in sources for path in files_of(source)]

    assert sources
    assert [source for source in sources if not files_of(source)] == []
    assert [path for path in whole if not CONTEXT.has(path)] == []


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        ".git/HEAD",
        ".hypothesis/examples/1",
        ".venv/bin/python",
        "data/ideapool.db",
        "models/qwen2.5-coder-1.5b-head.embeddings.npz",
        "models/smollm2-135m-brainstorm.gguf.sha256.json",
        "service/__pycache__/app.cpython-312.pyc",
        "service/engine/llama/__pycache__/log.cpython-312.pyc",
        "tests/conftest.py",
        "training/learning/train.py",
    ],
)
def test_what_the_image_is_not_made_of_stays_outside(path: str) -> None:
    assert not CONTEXT.has(path)


def test_the_image_and_the_wheel_have_every_folder_that_the_service_reads() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "service").rglob("*.py"))
    read = set(re.findall(r'RESOURCES / "([^"]+)"', sources)) - {"resources"}

    assert read >= {"models", "static", "templates", "translations"}
    assert {(name, name) for name in ("service", *read)} <= set(DOCKERFILE.stages[-1].copied())
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert read | {"service"} <= set(wheel["only-include"])
    assert {name: f"service/resources/{name}" for name in read} == wheel["sources"]


def files_of(source: str) -> list[str]:
    """The files of the repository that a copy of `source` is meant to have."""
    found = [ROOT / source, *(ROOT / source).rglob("*")]
    return [
        path.relative_to(ROOT).as_posix()
        for path in found
        if path.is_file() and "__pycache__" not in path.parts and not is_made(path)
    ]


def is_made(path: Path) -> bool:
    """Whether a program leaves it beside what it was made from."""
    return path.name.endswith((".sha256.json", ".embeddings.npz"))


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_composed_service_is_confined(name: str) -> None:
    service: dict[str, Any] = COMPOSE["services"][name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "/tmp" in service["tmpfs"]
    assert int(service["stop_grace_period"].removesuffix("s")) > 10


def test_images_of_others_are_pinned() -> None:
    images = {one["image"] for one in COMPOSE["services"].values() if "build" not in one}

    assert images
    assert all(re.search(r":\d+\.\d+|@sha256:", image) for image in images)


def test_only_the_proxy_of_the_team_can_be_reached() -> None:
    team = {name: one for name, one in COMPOSE["services"].items() if "team" in one["profiles"]}

    assert [name for name, one in team.items() if "ports" in one] == ["proxy"]
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert [name for name, one in team.items() if "web" in one["networks"]] == [*REPLICAS, "proxy"]


def test_the_proxy_of_the_team_asks_each_server() -> None:
    (mount,) = COMPOSE["services"]["proxy"]["volumes"]
    configuration = (ROOT / mount.partition(":")[0]).read_text()

    assert (
        re.findall(r"^ +server (replica-\d):8000 .*fail_timeout", configuration, re.MULTILINE)
        == REPLICAS
    )
    assert COMPOSE["services"]["proxy"]["ports"][0].endswith(
        re.findall(r"listen (\d+);", configuration)[0]
    )


def test_the_servers_of_the_team_differ_only_by_name_and_by_who_makes_the_key() -> None:
    settings = [COMPOSE["services"][name]["environment"] for name in REPLICAS]
    alike = [{name: value for name, value in one.items() if name not in OWN} for one in settings]

    assert alike[0] == alike[1]
    assert [one["IDEAPOOL_REPLICA"] for one in settings] == REPLICAS


def test_the_locks_name_no_registry() -> None:
    assert LOCKS
    assert [
        (lock.name, line)
        for lock in LOCKS
        for line in lock.read_text().splitlines()
        if "://" in line or "index" in line
    ] == []


def test_every_locked_package_has_a_hash() -> None:
    requirements = {lock.name: re.split(r"\n(?=[a-z0-9])", lock.read_text())[1:] for lock in LOCKS}

    assert [name for name, found in requirements.items() if not found] == []
    assert [
        (name, requirement.splitlines()[0])
        for name, found in requirements.items()
        for requirement in found
        if "--hash=sha256:" not in requirement
    ] == []


def test_every_dependency_is_locked() -> None:
    locked = (ROOT / "requirements.lock").read_text()
    names = [re.split(r"[\[<>=]", line)[0] for line in PROJECT["project"]["dependencies"]]

    assert [name for name in names if f"\n{name}==" not in f"\n{locked}"] == []


def test_the_tests_lock_pins_the_versions_that_are_served() -> None:
    pins = [set(re.findall(r"^\S+==\S+", lock.read_text(), re.MULTILINE)) for lock in LOCKS]
    named = dict(zip([lock.name for lock in LOCKS], pins, strict=True))

    assert named["requirements.lock"] <= named["requirements-dev.lock"]


def test_modules_stay_small() -> None:
    lines = {module: len(module.read_text().splitlines()) for module in MODULES}

    assert lines
    assert {str(module.relative_to(ROOT)): n for module, n in lines.items() if n > 400} == {}


def test_functions_stay_small() -> None:
    assert [
        f"{module.relative_to(ROOT)}:{node.lineno} {node.name}"
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= 60
    ] == []


def test_no_module_is_a_drawer_for_leftovers() -> None:
    drawers = {"utils", "util", "common", "helpers", "misc", "manager"}

    assert [path for path in MODULES if path.stem in drawers] == []
