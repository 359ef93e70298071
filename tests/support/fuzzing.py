"""Fuzzes the API with schemathesis, which looks for answers that contradict the OpenAPI document.

The model is a fake: only the code around it is tested, and every call must be quick.
"""

import os
import re
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

from service.app import create_app
from service.engine.types import GenerateRequest
from service.prompts.answers import brainstorm_answer, refine_answer
from service.settings import PROJECT_ROOT, Settings
from tests.support.app_server import served
from tests.support.fake_backend import REFINEMENT, FakeBackend

LETTERS = str.maketrans("0123456789", "ghijklmnop")
CONFIG = Path(__file__).with_name("schemathesis.toml")
HOOKS = Path(__file__).with_name("schemathesis_hooks.py")
# `coverage` sends each operation every boundary value of its schema, however many examples it gets.
PHASES = "examples,coverage,fuzzing,stateful"
# No answer takes so long, however busy the machine is.
REQUEST_TIMEOUT_S = 120


class Inexhaustible(FakeBackend):
    """Never gives the same idea twice, however many ideas are on the board."""

    def _canned(self, request: GenerateRequest) -> str:
        if "Strengths" in (request.grammar or ""):
            return super()._canned(request)
        words = [uuid.uuid4().hex[:8].translate(LETTERS) for _ in range(12)]
        if "Changes" in (request.grammar or ""):
            return refine_answer("Other words", f"Say {' '.join(words)}.", REFINEMENT[2])
        return brainstorm_answer(" ".join(words[:2]).capitalize(), f"Say {' '.join(words[2:])}.")


@dataclass(frozen=True, slots=True)
class Fuzzed:
    is_clean: bool
    output: str

    @property
    def failures(self) -> str:
        """What the fuzzer says of them, and of requests that could not be sent or answered."""
        told = re.search(r"^=+ (ERRORS|FAILURES) =+$", self.output, re.MULTILINE)
        return self.output[told.start() if told else 0 :]

    def count(self, what: str) -> int:
        """A number of its summary, such as that of `generated`; 0 where it says none."""
        found = re.search(rf"(\d+) {what}", self.output)
        return int(found[1]) if found else 0


def fuzz(
    settings: Settings, folder: Path, *, examples: int, patience_s: float, phases: str = PHASES
) -> Fuzzed:
    """Sends that many examples to each operation, the same ones each time."""
    app = create_app(settings, Inexhaustible())
    # The fuzzer waits ten seconds for the document, and to make it takes as long on a busy machine.
    app.openapi()
    with served(app) as url:
        ended = subprocess.run(
            [
                *(str(Path(sys.executable).with_name("schemathesis")),),
                *("--config-file", str(CONFIG), "run"),
                *("--max-examples", str(examples), "--seed", "1", "--no-color"),
                *("--phases", phases),
                *("--request-timeout", str(REQUEST_TIMEOUT_S), "--generation-database", "none"),
                f"{url}/api/v1/openapi.json",
            ],
            cwd=folder,
            env=os.environ | {"SCHEMATHESIS_HOOKS": str(HOOKS), "PYTHONPATH": str(PROJECT_ROOT)},
            capture_output=True,
            text=True,
            timeout=patience_s,
            check=False,
        )
    return Fuzzed(ended.returncode == 0, ended.stdout)
