"""Fuzzes the API with schemathesis, which looks for answers that contradict the OpenAPI document.

The model is a fake: only the code around it is tested, and every call must be quick.
"""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from service.app import create_app
from service.engine.types import GenerateRequest
from service.prompts.answers import brainstorm_answer, refine_answer
from service.settings import PROJECT_ROOT, Settings
from tests.support.app_server import served
from tests.support.fake_backend import REFINEMENT, FakeBackend

EXAMPLES = 25
PATIENCE_S = 900
LETTERS = str.maketrans("0123456789", "ghijklmnop")
CONFIG = Path(__file__).with_name("schemathesis.toml")
HOOKS = Path(__file__).with_name("schemathesis_hooks.py")


class Inexhaustible(FakeBackend):
    """Never gives the same idea twice, however many ideas are on the board."""

    def _canned(self, request: GenerateRequest) -> str:
        if "Strengths" in (request.grammar or ""):
            return super()._canned(request)
        words = [uuid.uuid4().hex[:8].translate(LETTERS) for _ in range(12)]
        if "Changes" in (request.grammar or ""):
            return refine_answer("Other words", f"Say {' '.join(words)}.", REFINEMENT[2])
        return brainstorm_answer(" ".join(words[:2]).capitalize(), f"Say {' '.join(words[2:])}.")


@pytest.mark.slow
@pytest.mark.timeout(PATIENCE_S + 60)
def test_the_api_behaves_as_its_description_says(settings: Settings, tmp_path: Path) -> None:
    with served(create_app(settings, Inexhaustible())) as url:
        fuzzed = subprocess.run(
            [
                *(str(Path(sys.executable).with_name("schemathesis")),),
                *("--config-file", str(CONFIG), "run"),
                *("--max-examples", str(EXAMPLES), "--seed", "1", "--no-color"),
                *("--request-timeout", "20", "--generation-database", "none"),
                f"{url}/api/v1/openapi.json",
            ],
            cwd=tmp_path,
            env=os.environ | {"SCHEMATHESIS_HOOKS": str(HOOKS), "PYTHONPATH": str(PROJECT_ROOT)},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    assert fuzzed.returncode == 0, fuzzed.stdout[fuzzed.stdout.find("= FAILURES =") :]
