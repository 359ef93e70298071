"""What the files around the code promise: one version, typed packages, checks for every change."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from hatchling.builders.wheel import WheelBuilder
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager

import service
from docs.release_notes import release_notes, version_of
from docs.sbom import bill
from service.app import create_app
from service.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
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


def test_no_file_is_a_symbolic_link() -> None:
    """Archives and some systems keep only the text of a link."""
    folders = ("benchmarks", "docs", "models", "service", "templates", "tests", "training")

    assert [
        one for folder in folders for one in (ROOT / folder).rglob("*") if one.is_symlink()
    ] == []


@pytest.mark.parametrize("package", ["service", "training"])
def test_the_package_says_that_it_is_typed(package: str) -> None:
    files = {one.distribution_path for one in WheelBuilder(str(ROOT)).recurse_included_files()}

    assert f"{package}/__init__.py" in files
    assert f"{package}/py.typed" in files


@pytest.mark.parametrize(
    ("schema", "pattern"),
    [
        ("github-workflows", "workflows/*.yml"),
        ("github-issue-forms", "ISSUE_TEMPLATE/[!c]*.yml"),
        ("github-issue-config", "ISSUE_TEMPLATE/config.yml"),
        ("dependabot", "dependabot.yml"),
    ],
)
def test_what_github_reads_has_the_form_it_wants(schema: str, pattern: str) -> None:
    files = [str(path) for path in (ROOT / ".github").glob(pattern)]
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    checked = subprocess.run([*command, *files], capture_output=True, text=True, check=False)

    assert files
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_do_nothing_that_a_job_does_not_ask_for(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())

    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        publishes = "docker login" in str(job["steps"])
        allowed = {"contents", "packages"} if publishes else {"contents"}
        assert set(job["permissions"]) == allowed, name
        assert job["timeout-minutes"] <= 90, name


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_the_actions_of_a_workflow_are_pinned_and_named(path: Path) -> None:
    used = re.findall(r"^ *-? *uses: (.*)$", path.read_text(), re.MULTILINE)

    assert used
    assert [
        one for one in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)
    ] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_what_a_person_can_run(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    made = [step["run"].split()[1] for step in steps if step.get("run", "").startswith("make ")]

    assert set(made) <= set(targets)
    assert not any("${{" in step.get("run", "") for step in steps), (
        "an expression in a script is an injection"
    )


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_the_scripts_of_a_workflow_can_be_read_by_the_shell(path: Path) -> None:
    steps = [
        step for job in yaml.safe_load(path.read_text())["jobs"].values() for step in job["steps"]
    ]
    scripts = [step["run"] for step in steps if "run" in step]

    assert scripts
    for script in scripts:
        read = subprocess.run(
            ["bash", "-n", "-c", script], capture_output=True, text=True, check=False
        )
        assert read.returncode == 0, read.stderr


def test_a_release_has_an_image_for_each_machine_that_says_what_it_is_made_of() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]
    machines = {one["architecture"] for one in jobs["image"]["strategy"]["matrix"]["include"]}
    build = next(
        step["run"] for step in jobs["image"]["steps"] if "buildx build" in step.get("run", "")
    )
    index = jobs["index"]["steps"][-1]["run"]

    assert machines == {"amd64", "arm64"}
    assert all(f'"$image:$version-{machine}"' in index for machine in machines)
    assert {"--sbom=true", "--provenance=mode=max"} <= set(build.split())
    assert set(re.findall(r"--label \"\$label\.(\w+)=", build)) == {
        *("source", "url", "documentation", "revision", "created")
    }


def test_the_bill_of_materials_has_every_locked_package_and_who_needs_it() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    made = bill("0.2.0", lock, json.loads((ROOT / "static/vendor/vendor.json").read_text()))
    refs = [one["bom-ref"] for one in made["components"]]
    needed = {one["ref"]: one["dependsOn"] for one in made["dependencies"]}

    assert len(refs) == len(set(refs))
    assert {
        f"pkg:pypi/{name}@{version}" for name, version in re.findall(r"(?m)^([\w.-]+)==(\S+)", lock)
    } == {ref for ref in refs if ref.startswith("pkg:pypi/")}
    assert any(ref.startswith("pkg:npm/htmx.org@") for ref in needed["ideapool"])
    # Everything is there because the program, or something it needs, asked for it.
    assert set(refs) <= {ref for asked in needed.values() for ref in asked}
    assert {ref for asked in needed.values() for ref in asked} <= set(refs)


def test_the_hooks_before_a_commit_run_tools_of_the_lock() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    tools = {hook["entry"].split()[0] for hook in hooks}

    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    assert tools <= {".venv/bin/ruff", ".venv/bin/lint-imports", ".venv/bin/python"}
    assert all(re.search(hook.get("files", ""), "service/app.py") for hook in hooks)


CHANGELOG = """\
# Changelog

## [Unreleased]

## [0.2.0] - 2027-01-31

- New.

## [0.1.0] - 2026-11-27

- Old.
"""


def test_a_release_has_the_section_of_its_version() -> None:
    assert release_notes("v0.2.0", "0.2.0", CHANGELOG) == "- New.\n"
    assert release_notes("v0.1.0", "0.1.0", CHANGELOG) == "- Old.\n"


@pytest.mark.parametrize(
    ("tag", "version", "changelog"),
    [
        ("v0.2.1", "0.2.0", CHANGELOG),
        ("0.2.0", "0.2.0", CHANGELOG),
        ("v0.3.0", "0.3.0", CHANGELOG),
        ("v0.2.0", "0.2.0", CHANGELOG.replace(" - 2027-01-31", "")),
        ("v0.2.0", "0.2.0", CHANGELOG.replace("- New.\n", "")),
    ],
)
def test_tag_version_and_changelog_must_agree(tag: str, version: str, changelog: str) -> None:
    with pytest.raises(ValueError, match=r"tag|section"):
        release_notes(tag, version, changelog)


def test_the_version_is_read_without_importing_the_service() -> None:
    assert version_of((ROOT / "service" / "__init__.py").read_text()) == service.__version__
    with pytest.raises(ValueError, match="no __version__"):
        version_of("")
