"""The package that people install: built, installed away from the checkout, started and asked."""

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from service.settings import PROJECT_ROOT
from tests.support.app_server import await_answer, free_port

Command = list[str | Path]
BRAINSTORM = {"topic": "gift for my grandmother", "n": 1}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    hatchling: Command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*hatchling, "--directory", folder], cwd=PROJECT_ROOT, check=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`ideapool` in a fresh environment, without pip. Its dependencies are those of the checkout."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    pip: Command = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install"]
    subprocess.run([*pip, "--quiet", "--no-deps", "--no-index", wheel], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    # A line of such a file is a plain entry of the path: the checkout's own .pth files do not count.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin" / "ideapool"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path / "share"),
        "IDEAPOOL_PORT": str(free_port()),
        "IDEAPOOL_MODEL": "small",
    }


@pytest.fixture
def client(command: Path, environment: dict[str, str], tmp_path: Path) -> Iterator[httpx2.Client]:
    url = f"http://127.0.0.1:{environment['IDEAPOOL_PORT']}"
    log = tmp_path / "server.log"
    with (
        httpx2.Client(base_url=url, timeout=120) as client,
        log.open("wb") as out,
        subprocess.Popen(
            [command, "serve"], env=environment, cwd=tmp_path, stdout=out, stderr=out
        ) as process,
    ):
        try:
            await_answer(client, process, log)
            yield client
        finally:
            process.terminate()


def test_the_package_serves_the_board_and_brainstorms(
    client: httpx2.Client, tmp_path: Path
) -> None:
    page = client.get("/", headers={"Accept-Language": "sv"}, follow_redirects=True)
    assert page.status_code == 200
    assert '<html lang="sv"' in page.text
    assert client.get("/static/app.css").status_code == 200

    answer = client.post("/api/v1/brainstorm", json=BRAINSTORM)

    assert answer.status_code == 200, answer.text
    assert {one["origin"] for one in answer.json()["suggestions"]} == {"bank", "model"}
    # Data are in the user's folder, not where the command was started, and the model was fetched.
    data = tmp_path / "share" / "ideapool"
    assert (data / "ideapool.db").is_file()
    assert list((data / "models").glob("*.gguf"))


def test_the_package_needs_nothing_of_the_checkout(
    command: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    script = "import service; print(service.__file__)"
    python: Command = [command.parent / "python", "-c", script]

    done = subprocess.run(
        python, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert Path(done.stdout.strip()).is_relative_to(command.parents[1])
