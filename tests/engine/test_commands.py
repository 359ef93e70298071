"""The commands without a server: the real small model in the command's own process."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from mcp import Client

from service.cli.main import main
from service.settings import PROJECT_ROOT, Settings
from tests.support.app_server import free_port, processes_of
from tests.support.mcp_client import over_stdio

# One that the small model finds a usable idea with at once.
TOPIC, SEED = "a street party", 7


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    return {
        "IDEAPOOL_DATA_DIR": str(settings.data_dir),
        "IDEAPOOL_BUNDLED_MODELS_DIR": str(settings.bundled_models_dir),
        "IDEAPOOL_MODEL": "small",
        "IDEAPOOL_IDEA_BANK": "false",
        "IDEAPOOL_BOARD_IDEAS": "false",
        "IDEAPOOL_PORT": str(free_port()),
    }


def test_a_brainstorm_without_a_server_loads_the_model_keeps_its_ideas_and_ends(
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    status = main(["brainstorm", TOPIC, "--n", "1", "--seed", str(SEED), "--keep", "--json"])
    output = capsys.readouterr()
    main(["ideas", "list", "--json"])
    ideas = json.loads(capsys.readouterr().out)

    assert status == 0, output.err
    assert "loading" in output.err
    answer = json.loads(output.out)
    assert answer["model"] == "smollm2-135m-brainstorm"
    assert [idea["title"] for idea in ideas] == [one["title"] for one in answer["suggestions"]]


def test_ctrl_c_ends_a_command_its_run_and_its_model_process(
    environment: dict[str, str], settings: Settings
) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "service", "brainstorm", TOPIC, "--n", "20", "--seed", str(SEED)],
        cwd=PROJECT_ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("1. ")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()

    assert process.returncode == 130
    assert "Traceback" not in err
    assert not processes_of(settings.data_dir)


def test_an_assistant_without_a_server_gets_the_model_too(environment: dict[str, str]) -> None:
    server = over_stdio(environment)

    async def story() -> Any:
        async with Client(server) as client:
            return await client.call_tool("brainstorm", {"topic": TOPIC, "n": 1, "seed": SEED})

    result = asyncio.run(asyncio.wait_for(story(), 120))

    assert not result.is_error, result.content
    assert len(result.structured_content["suggestions"]) == 1
