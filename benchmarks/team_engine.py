"""An engine that answers as another Ideapool does, at a set pace and without a model.

`python -m benchmarks.team_engine PORT FOLDER [SECONDS_A_TOKEN]` serves until it is ended.
"""

import sys
from dataclasses import replace
from pathlib import Path

import uvicorn

from service.app import create_app
from service.engine.types import GenerateRequest
from service.settings import Settings
from tests.support.fake_backend import FAKE_MODEL, FakeBackend

# A slot of a good GPU under load.
TOKEN_S = 0.02
SLOTS = 16


class ScriptedEngine(FakeBackend):
    """Gives a digit where a score is asked for, as other servers can only ask over HTTP."""

    def _canned(self, request: GenerateRequest) -> str:
        is_probe = request.max_tokens == 1 and request.logprobs is not None
        return "6" if is_probe else super()._canned(request)


def main() -> None:
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    token_s = float(sys.argv[3]) if len(sys.argv) > 3 else TOKEN_S
    settings = Settings(port=port, data_dir=folder, idea_bank=False, board_ideas=False)
    backend = ScriptedEngine(delay_s=token_s, model=replace(FAKE_MODEL, slots=SLOTS))
    uvicorn.run(create_app(settings, backend), port=port, log_level="warning")


if __name__ == "__main__":
    main()
