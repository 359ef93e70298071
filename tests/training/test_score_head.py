"""Score heads: what they are fitted to, what is said of them, and the one that is shipped."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from service.analysis.calibration.agreement import held_out
from service.analysis.calibration.notes import FOLDER, NEUTRAL, PRAISE, Note, groups_of, padded
from service.analysis.score_heads import ScoreHead
from service.analysis.scoring import Scorer, Scores
from service.backend import sources
from service.engine.catalog import read_catalog
from service.engine.embedded.backend import EmbeddedBackend
from service.engine.files.build import fetch_and_build
from service.engine.files.build_plan import model_identity
from service.engine.files.checksums import sha256_of
from service.engine.types import EmbedRequest, Event
from service.prompts.tasks import DEFAULT_CRITERIA, Criterion
from service.settings import PROJECT_ROOT, Settings
from tests.support.gguf import write_adapter
from tests.training.conftest import quiet
from training.data.decontamination import check_disjoint
from training.data.labelled import (
    CONTRASTS,
    Pair,
    PraisedNote,
    contrasts_of,
    read_labelled,
    read_records,
)
from training.errors import DataProblem
from training.inference.served import Adapted, identity
from training.score_head.fit import embeddings, train_head
from training.score_head.quality import FILLER, check, notes_to_check

DATA = PROJECT_ROOT / "training" / "datasets"
RECORDS = DATA / "ideation" / "evaluate.jsonl"
ALL_RECORDS = [DATA / folder / "evaluate.jsonl" for folder in ("ideation", "plain", "languages")]
PAIRS, PRAISED = DATA / "plain" / "pairs.jsonl", DATA / "plain" / "praise.jsonl"
Score = Callable[..., Scores]


def first_lines(source: Path, count: int, folder: Path) -> Path:
    lines = source.read_text(encoding="utf-8").splitlines()[:count]
    folder.mkdir(exist_ok=True)
    target = folder / source.name
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return target


def halves(pair: Pair) -> tuple[Note, Note]:
    return pair.better, pair.worse


def test_the_product_has_the_notes_of_the_ideation_set() -> None:
    for shipped, trained in (("notes", "evaluate"), ("contrasts", "contrasts")):
        ours = (FOLDER / f"{shipped}.jsonl").read_bytes()
        assert ours == (RECORDS.parent / f"{trained}.jsonl").read_bytes()


def test_the_halves_of_every_contrast_pair_are_in_one_group() -> None:
    (notes,) = read_labelled([RECORDS])
    groups = groups_of(notes, contrasts_of(notes, [RECORDS.parent]))
    of_note = dict(zip((note.id for note in notes), groups, strict=True))
    lines = RECORDS.with_name(CONTRASTS).read_text().splitlines()
    pairs = [json.loads(line)["ids"] for line in lines]

    assert len(pairs) == 150
    assert len({one for pair in pairs for one in pair}) == 300
    assert all(of_note[one] == of_note[other] for one, other in pairs)
    assert len(set(of_note.values())) > 350


def test_no_test_note_is_nearly_a_training_note() -> None:
    labelled = list(chain.from_iterable(read_labelled(ALL_RECORDS)))
    pairs, praised = read_records(PAIRS, Pair), read_records(PRAISED, PraisedNote)

    assert len(pairs) >= 60
    check_disjoint(labelled, PAIRS, [(one.id, half) for one in pairs for half in halves(one)])
    check_disjoint(labelled, PRAISED, [(one.id, one) for one in praised])


def test_training_and_tests_use_different_neutral_sentences() -> None:
    tested = FILLER + " ".join(note.praised_body for note in read_records(PRAISED, PraisedNote))

    assert not [sentence for sentence in (*NEUTRAL, *PRAISE) if sentence in tested]


def test_padding_keeps_the_note_and_its_position() -> None:
    notes = [Note(title=f"t{index}", body=f"Body {index}.") for index in range(5)]
    found = padded(notes)

    assert found == padded(notes)
    assert [position for position, _ in found] == [0, 1, 2, 3, 4] * 2
    assert all(note.body.startswith(notes[position].body + " ") for position, note in found)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"id": "b", "title": "t", "body": "b", "scores": {"clarity": 11}}', "clarity"),
        (
            '{"id": "b", "title": "t", "body": "b", "scores": {"novelty": 3}}',
            "has labels for novelty",
        ),
        ('{"id": "b", "title": "t", "scores": {"clarity": 3}}', "body"),
        (
            '{"id": "a", "title": "t", "body": "b", "scores": {"clarity": 5}}',
            "the id 'a' is used by another note",
        ),
        ("no JSON", "row 2"),
    ],
)
def test_an_invalid_note_is_named(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text('{"id": "a", "title": "t", "body": "", "scores": {"clarity": 3}}\n' + line)

    with pytest.raises(DataProblem, match=problem) as caught:
        read_labelled([path])
    assert caught.value.row == 2


def test_a_pair_for_a_criterion_without_labels_is_refused(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    half = {"title": "t", "body": "b"}
    pairs.write_text(json.dumps({"id": "p", "criterion": "beauty", "better": half, "worse": half}))

    with pytest.raises(DataProblem, match="beauty"):
        train_head(
            tmp_path / "none.gguf",
            [RECORDS],
            pairs,
            PRAISED,
            target=tmp_path / "head.npz",
            report=quiet,
        )


@pytest.mark.parametrize("side", ["better", "worse", "praised"])
def test_a_test_note_that_is_nearly_a_training_note_is_refused(tmp_path: Path, side: str) -> None:
    known, other = read_labelled([RECORDS])[0][1], {"title": "t", "body": "A bench by the gate."}
    nearly = {"title": "Another title", "body": f"Today: {known.body} So it is."}
    pair = {"id": "p", "criterion": "clarity", "better": other, "worse": other} | {side: nearly}
    praise = {"id": "q", "praised_body": "So good."} | (nearly if side == "praised" else other)
    files = [tmp_path / "pairs.jsonl", tmp_path / "praise.jsonl"]
    for path, record in zip(files, (pair, praise), strict=True):
        path.write_text(json.dumps(record))

    with pytest.raises(DataProblem, match=f"is nearly the same as '{known.id}'") as caught:
        train_head(
            tmp_path / "none.gguf", [RECORDS], *files, target=tmp_path / "head.npz", report=quiet
        )

    assert caught.value.path == files[side == "praised"]
    assert caught.value.row == ("q" if side == "praised" else "p")


def test_pairs_and_moves_are_counted_by_criterion() -> None:
    note = Note(title="t", body="b")
    pairs = [
        Pair(id=name, criterion=name, better=note, worse=note) for name in ("novelty", "clarity")
    ]
    praised = [PraisedNote(id="p", title="t", body="b", praised_body="b!")]
    scores = np.array([[5, 1], [4, 9], [1, 3], [2, 3], [5.0, 5], [6, 5], [5, 3]])
    checks = check(("novelty", "clarity"), scores, pairs)

    assert len(notes_to_check(pairs, praised)) == len(scores)
    assert checks.choices.by_criterion == {"novelty": (1, 1), "clarity": (0, 1)}
    assert checks.choices.share.value == 0.5
    assert checks.praise.mean == {"novelty": 1, "clarity": 0}
    assert checks.filler.overall == -1
    assert checks.filler.largest == 1


def test_agreement_is_by_criterion_and_length_counts_against_it() -> None:
    notes = [Note(title="t", body="word " * (index + 1)) for index in range(4)]
    labels = np.array([[1, 4], [2, 3], [3, 2], [4.0, 1]])
    longer_is_better = labels + np.arange(4)[:, None] / 10
    found = held_out(("a", "b"), longer_is_better, labels, notes)

    assert found.spearman == pytest.approx({"a": 1, "b": 1})
    assert found.error == pytest.approx({"a": 0.15, "b": 0.15})
    assert found.length == pytest.approx(1)


@pytest.mark.slow
def test_a_head_is_trained_for_the_served_file_and_can_be_resumed(
    tmp_path: Path, small_gguf: Path
) -> None:
    records = [first_lines(ALL_RECORDS[0], 16, tmp_path / "dense")]
    records += [first_lines(ALL_RECORDS[1], 8, tmp_path / "plain")]
    pairs, praise = first_lines(PAIRS, 2, tmp_path), first_lines(PRAISED, 2, tmp_path)
    target, reported = tmp_path / "models" / "head.npz", list[str]()

    def stop(line: str) -> None:
        reported.append(line)
        if line.startswith("Embedded"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_head(small_gguf, records, pairs, praise, target=target, report=stop)
    result = train_head(small_gguf, records, pairs, praise, target=target, report=reported.append)
    head = ScoreHead.load(target)
    figures = json.loads(target.with_suffix(".json").read_text())
    card = target.with_suffix(".md").read_text()

    # 24 notes, two more of each, two pairs, two notes three times.
    assert reported[0] == "Embedded 32 of 82 texts"
    assert reported[1] == "Embedded 32 of 50 texts"
    assert head.identity == result.identity == model_identity(small_gguf)
    assert head.criteria == ("novelty", "feasibility", "impact", "clarity")
    assert all(1 <= value <= 10 for value in head.scores([0.1] * 576).values())
    assert figures["agreement"]["spearman"].keys() == set(head.criteria)
    assert {name: found["notes"] for name, found in figures["agreement_by_set"].items()} == {
        "dense/evaluate.jsonl": 16,
        "plain/evaluate.jsonl": 8,
    }
    assert figures["pairs"]["pairs"] == 2
    assert result.weights_sha256 == sha256_of(small_gguf)
    assert head.identity in card
    assert target.stat().st_size < 40_000
    assert sorted(path.name for path in target.parent.iterdir()) == [
        "head.json", "head.md", "head.npz"
    ]  # fmt: skip


@pytest.mark.slow
def test_a_head_for_a_base_with_an_adapter_is_bound_to_both(
    tmp_path: Path, small_gguf: Path
) -> None:
    random = np.random.default_rng(7)
    sides = [random.normal(size=shape).astype(np.float32) for shape in ((4, 576), (576, 4))]
    pair = (sides[0], sides[1])
    adapter = write_adapter(tmp_path / "lora.gguf", {"blk.0.attn_q.weight": pair})
    source, target = Adapted(small_gguf, adapter), tmp_path / "models" / "head.npz"
    records = [first_lines(RECORDS, 12, tmp_path)]
    pairs, praise = first_lines(PAIRS, 2, tmp_path), first_lines(PRAISED, 2, tmp_path)
    alone, both = (
        embeddings(one, ["A note."], cache=tmp_path / "cache.npz", report=quiet)[0]
        for one in (small_gguf, source)
    )
    result = train_head(source, records, pairs, praise, target=target, report=quiet)

    assert not np.array_equal(alone, both)
    assert result.identity == ScoreHead.load(target).identity == identity(source)
    assert result.identity != identity(small_gguf)
    assert sha256_of(adapter) in target.with_suffix(".md").read_text()


@pytest.fixture(scope="module")
def shipped() -> Iterator[Score]:
    """Scores by the small model of the catalog with its head."""
    settings = Settings()
    folder = settings.models_dir.absolute()
    selection = read_catalog(settings.catalog).select("small")
    model = selection.models[0]
    if model.score_head is None:
        pytest.skip("the catalog names no score head")
    fetch_and_build(model, folder, sources(settings), lambda _: None)
    backend = EmbeddedBackend(selection, models_dir=folder)
    scorer = Scorer(backend)

    async def observe(_: Event) -> None:
        pass

    async def settle() -> None:
        await backend.start()
        # The hash of what is served is known with the first answer.
        warm_up = EmbedRequest("warm-up", selection.models[0].name, "Hello.")
        assert [event async for event in backend.submit(warm_up)]

    with asyncio.Runner() as runner:

        def score(note: Note, criteria: Sequence[Criterion] = DEFAULT_CRITERIA) -> Scores:
            info = backend.model_for("general")
            return runner.run(
                scorer.score(info, note.title, note.body, criteria, client="", observe=observe)
            )

        runner.run(settle())
        yield score
        runner.run(backend.close())


@pytest.mark.slow
def test_the_shipped_head_ignores_praise_and_empty_words(
    shipped: Score,
) -> None:
    notes = read_records(PRAISED, PraisedNote)[:8]
    plain = [shipped(note).overall for note in notes]
    praised = [shipped(Note(title=one.title, body=one.praised_body)).overall for one in notes]
    filled = [shipped(Note(title=one.title, body=one.body + FILLER)).overall for one in notes]

    assert np.mean(np.subtract(praised, plain)) < 0.1
    assert abs(np.mean(np.subtract(filled, plain))) < 0.4
    assert np.abs(np.subtract([praised, filled], plain)).max() < 1


@pytest.mark.slow
def test_the_order_of_the_criteria_does_not_move_the_shipped_head(shipped: Score) -> None:
    note = read_records(PRAISED, PraisedNote)[0]
    forwards, backwards = shipped(note), shipped(note, DEFAULT_CRITERIA[::-1])

    assert backwards.values == forwards.values
    assert list(backwards.values) == list(forwards.values)[::-1]
    assert forwards.method == "head"


@pytest.mark.slow
def test_a_criterion_without_labels_is_marked_as_not_calibrated(shipped: Score) -> None:
    note = read_records(PRAISED, PraisedNote)[0]
    found = shipped(note, (Criterion("charm", "how charming it is"), DEFAULT_CRITERIA[0]))

    assert found.uncalibrated == ("charm",)
    assert found.method == "mixed"
