"""The labelled notes, the fit of a head to them, and where heads are kept and found."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from service.analysis.calibration.agreement import better_than_fixed, fixed_errors
from service.analysis.calibration.fitting import Material, fit_notes
from service.analysis.calibration.notes import FOLDER, groups_of, shipped_notes
from service.analysis.score_heads import ScoreHead, ScoreHeads
from service.errors import ModelUnavailable, StorageUnavailable
from service.prompts.tasks import DEFAULT_CRITERIA, is_usual
from tests.support.fake_backend import FAKE_MODEL
from tests.support.labelled import NOTES, material

FEATURES = 6


def vectors(seed: int = 0) -> np.ndarray:
    """Embeddings of `material`: chance, but for the third number, which is what the scores say."""
    found = np.random.default_rng(seed).normal(size=(NOTES + 1, FEATURES))
    found[:NOTES, 2] = 1 + np.arange(NOTES) % 10
    found[NOTES] = found[0]
    return found


def head(identity: str = FAKE_MODEL.identity or "") -> ScoreHead:
    return fit_notes(material("novelty"), vectors()).head(identity)


def test_a_fit_finds_the_number_that_the_labels_were_made_with() -> None:
    fitted = fit_notes(material("novelty"), vectors())
    weights = np.abs(fitted.ridge.weights[0])

    assert int(weights.argmax()) == 2
    assert np.delete(weights, 2).max() < weights[2] / 4
    assert fitted.subjects == NOTES


def test_a_fit_that_helps_is_told_from_one_that_does_not() -> None:
    fitted = fit_notes(material("novelty", chance=("clarity",)), vectors())

    assert better_than_fixed(fitted.criteria, fitted.predicted, fitted.labels) == ("novelty",)


def test_a_head_that_knows_nothing_is_never_called_better() -> None:
    """Neither for skewed labels, of which the median is nearer than the mean."""
    labels = np.minimum(10, 1 + np.random.default_rng(0).exponential(2, size=(300, 1)))
    median = np.full_like(labels, np.median(labels))

    assert better_than_fixed(("novelty",), median, labels) == ()
    assert better_than_fixed(("novelty",), median + 0.1, labels) == ()
    mean_error = np.abs(labels - labels.mean()).mean()
    assert fixed_errors(("novelty",), labels)["novelty"] < mean_error


def test_a_fit_can_be_stopped_between_its_folds() -> None:
    calls = []

    def go_on() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_notes(material("novelty"), vectors(), go_on)
    assert len(calls) == 3


def test_the_shipped_notes_have_the_usual_criteria_and_both_halves_of_each_pair() -> None:
    notes, contrasts = shipped_notes()

    assert {tuple(note.scores) for note in notes} == {tuple(one.name for one in DEFAULT_CRITERIA)}
    assert (len(notes), len(contrasts)) == (540, 150)
    assert len(Material.of(notes, contrasts).texts()) == 810


def test_changed_notes_are_refused(tmp_path: Path) -> None:
    for file in FOLDER.glob("*.jsonl"):
        (tmp_path / file.name).write_bytes(file.read_bytes() + b"\n")

    with pytest.raises(StorageUnavailable, match="SHA-256"):
        shipped_notes(tmp_path)
    with pytest.raises(StorageUnavailable, match="No such file"):
        shipped_notes(tmp_path / "nowhere")


def test_notes_of_one_pair_are_one_group() -> None:
    notes = material("novelty").labelled

    groups = groups_of(notes[:4], [(0, 3)])

    assert groups[0] == groups[3]
    assert len(set(groups)) == 3


def test_a_head_without_some_criteria_gives_the_others_the_same_scores() -> None:
    whole = fit_notes(material("novelty", "impact", chance=("clarity",)), vectors()).head("f")
    part = whole.only(("impact",))

    assert part.scores([0.5] * FEATURES) == {"impact": whole.scores([0.5] * FEATURES)["impact"]}


def test_a_kept_head_is_found_by_the_identity_of_its_model_only(tmp_path: Path) -> None:
    heads = ScoreHeads(tmp_path / "heads")
    figures = {"model": "fake", "identity": "f" * 64, "agreement": {"error": {"novelty": 1.234}}}

    heads.keep(head(), json.dumps(figures))
    found = heads.of(FAKE_MODEL)
    other = replace(FAKE_MODEL, identity="0" * 64)

    assert found is not None
    assert (found.identity, found.errors) == (FAKE_MODEL.identity, {"novelty": 1.23})
    assert heads.of(other) is None
    assert heads.is_for_other_weights(other)
    assert not heads.is_for_other_weights(FAKE_MODEL)
    assert heads.figures(FAKE_MODEL) == figures
    assert heads.of(replace(FAKE_MODEL, identity=None)) is None
    assert sorted(path.suffix for path in (tmp_path / "heads").iterdir()) == [".json", ".npz"]


def test_the_catalogs_head_comes_before_a_calibrated_one_if_it_fits(tmp_path: Path) -> None:
    heads, path = ScoreHeads(tmp_path / "heads"), tmp_path / "catalog.npz"
    heads.keep(head(), "{}")
    model = replace(FAKE_MODEL, score_head=str(path))

    head().only(("novelty",)).save(path)
    fitting = heads.of_catalog(model)
    replace(head(), identity="0" * 64).save(path)

    assert fitting is not None
    assert heads.of_catalog(model) is None
    calibrated = heads.of(model)
    assert calibrated is not None
    assert calibrated.identity == FAKE_MODEL.identity


def test_a_head_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = ScoreHeads(tmp_path)
    heads.keep(head(), "{}")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ScoreHead, "save", full)
    with pytest.raises(OSError, match="No space"):
        heads.keep(head(), "{}")

    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off"])
def test_a_broken_head_is_named(tmp_path: Path, content: bytes) -> None:
    heads = ScoreHeads(tmp_path)
    path = tmp_path / f"{FAKE_MODEL.identity}.npz"
    path.write_bytes(content)

    with pytest.raises(ModelUnavailable, match=str(path)):
        heads.of(FAKE_MODEL)


def test_removing_takes_heads_of_former_weights_too(tmp_path: Path) -> None:
    heads = ScoreHeads(tmp_path)
    heads.keep(head("0" * 64), json.dumps({"model": "fake"}))
    heads.keep(head(), json.dumps({"model": "fake"}))
    heads.keep(head("1" * 64), json.dumps({"model": "other"}))

    assert heads.remove(FAKE_MODEL)
    assert not heads.remove(FAKE_MODEL)
    assert {path.stem for path in tmp_path.iterdir()} == {"1" * 64}


def test_a_usual_criterion_with_a_description_of_its_own_is_not_usual() -> None:
    assert is_usual("Novelty", "")
    assert is_usual("novelty", DEFAULT_CRITERIA[0].description)
    assert not is_usual("novelty", "how loud it is")
    assert not is_usual("cost", "")
