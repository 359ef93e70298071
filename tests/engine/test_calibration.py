"""The real small model is calibrated on some of the labelled notes, and is scored by its new head."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.analysis.calibration.calibrations import Calibrations
from service.analysis.calibration.fitting import Material
from service.analysis.calibration.notes import shipped_notes
from service.analysis.scoring import Scorer, Scores
from service.app import create_app
from service.engine.catalog import CatalogModel, Selection
from service.engine.client import ignore
from service.engine.embedded.backend import EmbeddedBackend
from service.prompts.tasks import DEFAULT_CRITERIA
from service.settings import Settings

PATH = "/api/v1/models/general/calibration"
NOTES = 48
READY_S = 300.0


def some_notes() -> Material:
    """Few enough for a test; every ninth, so that hasty and careful notes are among them."""
    return Material(shipped_notes()[0][::9][:NOTES], contrasts=[], padded=[])


@pytest.fixture
def client(migrated: Settings, small: CatalogModel, models_dir: Path) -> Iterator[TestClient]:
    """The small model as somebody's own: the catalog names no head for it."""
    own = replace(small, name="own", score_head=None)
    selection = Selection(None, (own,), dict.fromkeys(own.roles, own))
    backend = EmbeddedBackend(selection, models_dir=models_dir)
    app = create_app(migrated, backend)
    app.state.calibrations = Calibrations(backend, app.state.calibrations.heads, some_notes)
    with TestClient(app, base_url="http://localhost") as client:
        yield client
        cast(Any, client.portal).call(app.state.calibrations.close)


def ended(client: TestClient) -> dict[str, Any]:
    deadline = time.monotonic() + READY_S
    while (found := client.get(PATH).json())["state"] == "running":
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return dict(found)


def scored(client: TestClient) -> Scores:
    state = cast(FastAPI, client.app).state
    scorer = Scorer(state.backend, state.calibrations.heads)

    async def score() -> Scores:
        model, clarity = state.backend.model_for("general"), DEFAULT_CRITERIA[-1:]
        return await scorer.score(model, "Shelf", "For drills.", clarity, client="", observe=ignore)

    return cast(Scores, cast(Any, client.portal).call(score))


@pytest.mark.slow
def test_a_model_of_ones_own_is_scored_by_a_head_after_one_call(
    client: TestClient, migrated: Settings
) -> None:
    begun = client.post(PATH)
    found = ended(client)
    scores = scored(client)

    assert begun.status_code == 202
    assert (found["state"], found["scores_from"]) == ("done", "calibration"), found
    clarity = next(one for one in found["figures"]["criteria"] if one["criterion"] == "clarity")
    # Clarity is what the small model's embeddings say most about.
    assert clarity["is_used"]
    assert clarity["error"] < clarity["fixed_error"]
    assert (migrated.heads_dir / f"{found['figures']['identity']}.npz").is_file()
    assert scores.method == "head"
    assert scores.spread["clarity"] == pytest.approx(clarity["error"], abs=0.01)
