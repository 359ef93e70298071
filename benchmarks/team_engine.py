"""An engine that answers as another Ideapool does, at a set pace and without a model.

`python -m benchmarks.team_engine PORT FOLDER` serves until it is ended.
"""

import sys
from dataclasses import replace
from pathlib import Path

import uvicorn

from service.app import create_app
from service.settings import Settings
from tests.support.fake_backend import FAKE_MODEL, FakeBackend

# A slot of a good GPU under load.
TOKEN_S = 0.02
SLOTS = 16


def main() -> None:
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    settings = Settings(port=port, data_dir=folder, idea_bank=False, board_ideas=False)
    backend = FakeBackend(delay_s=TOKEN_S, model=replace(FAKE_MODEL, slots=SLOTS))
    uvicorn.run(create_app(settings, backend), port=port, log_level="warning")


if __name__ == "__main__":
    main()
