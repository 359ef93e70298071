"""Calibrating a model over REST and by command: from rough scores to those of a head of its own."""

import json
import shutil
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fastapi.testclient import TestClient

from service.analysis.calibration.calibrations import Calibrations
from service.analysis.calibration.fitting import Material
from service.app import create_app
from service.cli.main import main
from service.engine.types import EmbedRequest, Event, ModelInfo, Request
from service.settings import Settings
from tests.api.test_models import save_head
from tests.support.app_server import served
from tests.support.fake_backend import FAKE_MODEL, FakeBackend
from tests.support.labelled import material

API = "/api/v1"
PATH = f"{API}/models/general/calibration"
END_S = 60.0
Run = Callable[..., tuple[int, str, str]]
TASK = {"title": "xxxx", "body": "Saws on hooks."}


class GatedBackend(FakeBackend):
    """Embeds nothing while its gate is closed."""

    async def _answer(self, request: Request) -> AsyncGenerator[Event, None]:
        if isinstance(request, EmbedRequest):
            await self.gate.wait()
        async for event in super()._answer(request):
            yield event


@contextmanager
def serving(
    settings: Settings,
    backend: FakeBackend,
    notes: Callable[[], Material] = lambda: material("novelty", chance=("clarity",)),
) -> Iterator[TestClient]:
    app = create_app(settings, backend)
    heads = app.state.calibrations.heads
    app.state.calibrations = Calibrations(backend, heads, notes)
    with TestClient(app, base_url="http://localhost") as client:
        yield client
        cast(Any, client.portal).call(app.state.calibrations.close)


def with_model(**changes: Any) -> GatedBackend:
    return GatedBackend(model=replace(FAKE_MODEL, **changes))


def ended(client: TestClient) -> dict[str, Any]:
    deadline = time.monotonic() + END_S
    while (found := client.get(PATH).json())["state"] == "running":
        assert time.monotonic() < deadline, found
        time.sleep(0.01)
    return dict(found)


def calibrated(client: TestClient) -> dict[str, Any]:
    begun = client.post(PATH)
    assert begun.status_code == 202, begun.text
    assert begun.headers["location"] == f"{API}/models/fake/calibration"
    return ended(client)


def uncalibrated(client: TestClient) -> list[str]:
    answer = client.post(f"{API}/evaluate", json=TASK | {"criteria": ["novelty", "clarity"]})
    return list(answer.json()["scoring"]["uncalibrated"])


def files(settings: Settings) -> list[str]:
    return sorted(path.suffix for path in settings.heads_dir.glob("*"))


def test_evaluations_use_the_head_of_a_calibration_without_a_restart(migrated: Settings) -> None:
    with serving(migrated, with_model()) as client:
        before = client.get(PATH).json()
        rough = uncalibrated(client)
        after = calibrated(client)
        told = uncalibrated(client)
        again = ended(client)

    assert (before["state"], before["scores_from"], before["figures"]) == ("none", "digits", None)
    assert rough == ["novelty", "clarity"]
    assert (after["state"], after["scores_from"], after["error"]) == ("done", "calibration", None)
    assert (after["done"], after["total"]) == (61, 61)
    assert told == ["clarity"]
    assert again == after
    assert files(migrated) == [".json", ".npz"]


def test_a_calibrated_head_is_there_after_a_restart(migrated: Settings) -> None:
    with serving(migrated, with_model()) as client:
        figures = calibrated(client)["figures"]
    with serving(migrated, with_model()) as client:
        found = client.get(PATH).json()
        score = client.post(f"{API}/evaluate", json=TASK | {"criteria": ["novelty"]}).json()

    assert (found["state"], found["scores_from"], found["figures"]) == (
        "done", "calibration", figures
    )  # fmt: skip
    novelty = next(one for one in figures["criteria"] if one["criterion"] == "novelty")
    assert score["spread"]["novelty"] == pytest.approx(novelty["error"], abs=0.01)
    assert score["scores"]["novelty"] == pytest.approx(4, abs=2)


def test_a_criterion_that_is_no_better_than_one_score_is_left_out_and_said_so(
    migrated: Settings,
) -> None:
    with serving(migrated, with_model()) as client:
        criteria = {one["criterion"]: one for one in calibrated(client)["figures"]["criteria"]}

    assert (criteria["novelty"]["is_used"], criteria["clarity"]["is_used"]) == (True, False)
    assert criteria["novelty"]["error"] < criteria["novelty"]["fixed_error"]
    assert criteria["novelty"]["rank_correlation"] > 0.9
    assert abs(criteria["clarity"]["rank_correlation"]) < 0.5


def test_a_head_that_is_no_better_than_one_score_is_not_kept(migrated: Settings) -> None:
    def useless() -> Material:
        return material(chance=("novelty", "clarity"))

    with serving(migrated, with_model(), useless) as client:
        found = calibrated(client)
        told = uncalibrated(client)

    assert (found["state"], found["scores_from"]) == ("failed", "digits")
    assert found["error"]["type"] == "answer-unusable"
    assert "No score head was kept" in found["error"]["detail"]
    assert not any(one["is_used"] for one in found["figures"]["criteria"])
    assert told == ["novelty", "clarity"]
    assert files(migrated) == []


def test_only_one_calibration_runs_and_its_progress_is_told(migrated: Settings) -> None:
    backend = with_model()
    backend.gate.clear()
    with serving(migrated, backend) as client:
        first = client.post(PATH)
        second = client.post(PATH)
        running = client.get(PATH).json()
        backend.gate.set()
        end = ended(client)

    assert (first.status_code, second.status_code) == (202, 409)
    assert "A calibration of fake is running" in second.json()["detail"]
    assert (running["state"], running["step"], running["done"]) == ("running", "embedding", 0)
    assert end["state"] == "done"


def test_a_stopped_calibration_leaves_nothing_and_can_be_repeated(migrated: Settings) -> None:
    backend = with_model()
    backend.gate.clear()
    with serving(migrated, backend) as client:
        client.post(PATH)
        stopped = client.delete(PATH)
        state = client.get(PATH).json()["state"]
        backend.gate.set()
        end = calibrated(client)

    assert (stopped.status_code, state) == (204, "none")
    assert end["state"] == "done"


def test_a_server_that_stops_in_the_middle_keeps_nothing(migrated: Settings) -> None:
    backend = with_model()
    backend.gate.clear()
    with serving(migrated, backend) as client:
        client.post(PATH)
    backend.gate.set()
    left = files(migrated)
    with serving(migrated, with_model()) as client:
        found = client.get(PATH).json()
        end = calibrated(client)

    assert left == []
    assert (found["state"], end["state"]) == ("none", "done")


def test_deleting_a_head_makes_scores_rough_again(migrated: Settings) -> None:
    with serving(migrated, with_model()) as client:
        calibrated(client)
        deleted = client.delete(PATH)
        again = client.delete(PATH)
        told = uncalibrated(client)

    assert (deleted.status_code, again.status_code) == (204, 404)
    assert told == ["novelty", "clarity"]
    assert files(migrated) == []


def test_a_head_of_former_weights_is_not_used_and_said_so(migrated: Settings) -> None:
    with serving(migrated, with_model()) as client:
        calibrated(client)
    with serving(migrated, with_model(identity="0" * 64)) as client:
        found = client.get(PATH).json()
        told = uncalibrated(client)

    assert (found["scores_from"], found["is_outdated"], found["state"]) == ("digits", True, "none")
    assert told == ["novelty", "clarity"]


def test_a_model_that_changes_during_its_calibration_gets_no_head(migrated: Settings) -> None:
    backend = with_model()

    def changing() -> Material:
        fresh = material("novelty")

        def texts() -> list[str]:
            return Material.texts(fresh)

        def examples(vectors: Any) -> Any:
            backend.model = replace(FAKE_MODEL, identity="0" * 64)
            return Material.examples(fresh, vectors)

        view = SimpleNamespace(
            texts=texts, examples=examples, criteria=fresh.criteria, labelled=fresh.labelled
        )
        return cast(Material, view)

    with serving(migrated, backend, changing) as client:
        found = calibrated(client)

    assert found["state"] == "failed"
    assert "files have changed" in found["error"]["detail"]
    assert files(migrated) == []


@pytest.mark.parametrize(
    ("model", "status", "reason"),
    [
        (replace(FAKE_MODEL, state="absent", error="The file is gone."), 503, "The file is gone."),
        (replace(FAKE_MODEL, identity=None), 409, "a model on another server"),
    ],
)
def test_a_model_that_cannot_be_calibrated_is_refused_with_the_reason(
    migrated: Settings, model: ModelInfo, status: int, reason: str
) -> None:
    with serving(migrated, GatedBackend(model=model)) as client:
        refused = client.post(PATH)
        state = client.get(PATH).json()["state"]

    assert (refused.status_code, state) == (status, "none")
    assert reason in refused.json()["detail"]


def test_an_unknown_model_is_refused_with_the_known_ones(migrated: Settings) -> None:
    with serving(migrated, with_model()) as client:
        refused = [
            client.request(method, f"{API}/models/nobody/calibration")
            for method in ("GET", "POST", "DELETE")
        ]

    assert {one.status_code for one in refused} == {404}
    assert "There are: fake" in refused[0].json()["detail"]


def test_a_model_that_evaluates_nothing_is_refused(migrated: Settings) -> None:
    ideas = replace(FAKE_MODEL, name="ideas", roles=("brainstorm",))
    general = replace(FAKE_MODEL, roles=("general",))
    with serving(migrated, FakeBackend(model=ideas, others=(general,))) as client:
        refused = client.post(f"{API}/models/ideas/calibration")

    assert refused.status_code == 409
    assert "Calibrate fake" in refused.json()["detail"]


def test_a_model_with_a_fitting_head_in_the_catalog_is_calibrated_only_on_demand(
    migrated: Settings,
) -> None:
    path = migrated.data_dir / "head.npz"
    save_head(path)
    with serving(migrated, with_model(score_head=str(path))) as client:
        refused = client.post(PATH)
        client.post(PATH, json={"anyway": True})
        found = ended(client)

    assert refused.status_code == 409
    assert "The catalog names a score head" in refused.json()["detail"]
    assert (found["state"], found["scores_from"]) == ("done", "catalog")


def test_a_head_in_the_catalog_for_other_weights_gives_way_to_a_calibrated_one(
    migrated: Settings,
) -> None:
    path = migrated.data_dir / "head.npz"
    save_head(path)
    with serving(migrated, with_model(score_head=str(path), identity="0" * 64)) as client:
        rough = uncalibrated(client)
        found = calibrated(client)
        told = uncalibrated(client)

    assert (rough, told) == (["novelty", "clarity"], ["clarity"])
    assert found["scores_from"] == "calibration"


def test_a_full_disk_is_told_before_anything_is_read(
    migrated: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    backend = with_model()
    with serving(migrated, backend) as client:
        refused = client.post(PATH)

    assert refused.status_code == 503
    assert "a score head needs" in refused.json()["detail"]
    assert backend.history == []


def test_a_head_that_cannot_be_written_fails_the_calibration_with_the_folder(
    migrated: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("service.analysis.score_heads.ScoreHead.save", full)
    with serving(migrated, with_model()) as client:
        found = calibrated(client)

    assert (found["state"], found["error"]["type"]) == ("failed", "storage-unavailable")
    assert str(migrated.heads_dir) in found["error"]["detail"]
    assert ".npz" not in files(migrated)


def test_the_page_of_an_idea_calls_scores_rough_and_says_how_to_calibrate(
    client: TestClient,
) -> None:
    usual, own = (client.post(f"{API}/ideas", json=TASK).json()["id"] for _ in range(2))
    client.post(f"{API}/evaluate", json={"idea_id": usual})
    client.post(f"{API}/evaluate", json={"idea_id": own, "criteria": ["cost"]})

    pages = [client.get(f"/ideas/{idea}").text for idea in (usual, own)]

    assert all("These scores are rough" in page for page in pages)
    assert ["ideapool calibrate" in page for page in pages] == [True, False]


@pytest.fixture
def run(
    migrated: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """The command, where a server with a head to find runs."""
    backend = with_model()
    app = create_app(migrated, backend)
    heads = app.state.calibrations.heads
    app.state.calibrations = Calibrations(
        backend, heads, lambda: material("novelty", chance=("clarity",))
    )

    def call(*arguments: str) -> tuple[int, str, str]:
        status = main(["calibrate", *arguments])
        told = capsys.readouterr()
        return status, told.out, told.err

    with served(app) as url:
        monkeypatch.setenv("IDEAPOOL_URL", url)
        yield call


def test_the_command_prints_held_out_figures_and_what_scores_come_from(run: Run) -> None:
    status, out, err = run()
    shown = run("--show")

    rows = {line.split()[0]: line for line in out.splitlines() if line}
    assert status == 0, err
    assert "on 60 notes about 60 subjects" in out
    assert "left out" in rows["clarity"]
    assert "left out" not in rows["novelty"]
    assert "Scores of this model come from the calibrated head now." in out
    assert shown[:2] == (0, out)


def test_the_command_gives_json_and_removes_the_head(run: Run) -> None:
    found = json.loads(run("fake", "--json")[1])
    removed = run("--remove")
    shown = run("--show")

    assert (found["model"], found["state"]) == ("fake", "done")
    assert removed[0] == 0
    assert "are rough: no score head is used" in shown[1]
    assert run("--remove")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        (["nobody"], 1, "There are: fake"),
        (["--show", "--remove"], 2, "Give only one of"),
    ],
)
def test_the_command_refuses_what_cannot_be_with_the_reason(
    run: Run, arguments: list[str], status: int, reason: str
) -> None:
    found, _, err = run(*arguments)

    assert found == status
    assert reason in err


def test_the_command_fails_and_shows_the_figures_of_a_useless_head(
    migrated: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    backend = with_model()
    app = create_app(migrated, backend)
    heads = app.state.calibrations.heads
    app.state.calibrations = Calibrations(backend, heads, lambda: material(chance=("novelty",)))
    with served(app) as url:
        monkeypatch.setenv("IDEAPOOL_URL", url)
        status = main(["calibrate"])
    told = capsys.readouterr()

    assert status == 1
    assert "left out: not clearly better" in told.out
    assert "No score head was kept" in told.err
