"""Exports the adapter of a tiny run, with a model of random weights, to files the service loads."""

import asyncio
import io
import json
import os
import re
import shutil
import tarfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import peft
import pytest
import torch

from service.engine.catalog import CatalogModel, Selection, read_catalog
from service.engine.embedded.backend import EmbeddedBackend
from service.engine.files.build_plan import BASE_SHA256_KEY
from service.engine.files.checksums import sha256_of
from service.engine.files.gguf_header import read_text_metadata
from service.engine.llama.gguf_file import GgufFile
from service.engine.types import Delta, Finished, Role
from service.errors import ConfigurationError
from service.prompts.methods import METHODS
from service.prompts.tasks import brainstorm_prompt
from service.settings import PROJECT_ROOT, Settings
from tests.training.conftest import MakeConfig, quiet
from tests.training.measured import evaluation, system
from training.cli.main import main
from training.config import (
    BaseConfig,
    DataConfig,
    DuplicateConfig,
    ExportConfig,
    RunConfig,
    SourceConfig,
    dump_config,
)
from training.data.prepare import prepare, read_prepared
from training.data.rows import read_rows, write_rows
from training.errors import BaseMismatch, DataProblem, ExportFailed
from training.evaluation.evaluate import plain
from training.export import converter as converters
from training.export.cards import ModelFacts
from training.export.converter import Converter
from training.export.export import (
    CARD,
    FACTS,
    Exported,
    base_gguf,
    export,
    is_exported,
    tuned_gguf,
    write_card,
)
from training.export.files import adapter_file, merged
from training.export.parity import FileParity, Parity, read_parity, with_refused
from training.export.registration import Registration, register
from training.inference.served import BESIDE, request_of, served, source_of
from training.learning.base import Base, load_base
from training.learning.result import read_result
from training.runs.run_directory import Manifest, RunDirectory, now

CATALOG = PROJECT_ROOT / "models" / "catalog.toml"
PARITY = Parity(
    rows=9,
    nll_per_token=2.0,
    files=(
        FileParity("a-f16.gguf", "f16", 2.009, 0.0045),
        FileParity("a-q4_k_m.gguf", "q4_k_m", 2.05, 0.025),
    ),
    greedy_tokens=200,
    greedy_agreement=0.995,
)


@dataclass(frozen=True, slots=True)
class Run:
    config: RunConfig
    rundir: RunDirectory


def opened(config: RunConfig) -> Base:
    return load_base(config.base, cache=config.output, models_dir=config.output, report=quiet)


def add_adapter(base: Base, rundir: RunDirectory) -> None:
    """A random adapter, large enough to change the model's answers."""
    torch.manual_seed(1)
    shape = peft.LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear")
    model = peft.get_peft_model(base.model, shape)
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            weights.data.normal_(0, 0.1)
    model.save_pretrained(str(rundir.adapter))


@pytest.fixture(scope="module")
def run(tiny_base: Path, ideation_records: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("export")
    source = SourceConfig(kind="ideation", path=ideation_records, licence="CC0-1.0")
    config = RunConfig(
        name="tiny",
        output=folder,
        base=BaseConfig(hf=str(tiny_base)),
        data=DataConfig(
            sources=(source,),
            test_share=0.2,
            validation_share=0.2,
            max_tokens=768,
            duplicates=DuplicateConfig(near=0),
        ),
        export=ExportConfig(quantisations=("f16", "q8_0"), catalog=folder / "catalog.toml"),
    )
    rundir = RunDirectory(folder / config.name)
    prepare(config, rundir, report=quiet)
    base = opened(config)
    add_adapter(base, rundir)
    rundir.write_manifest(Manifest(config.name, "finished", now(), base_sha256=base.sha256))
    return Run(config, rundir)


@pytest.fixture(scope="module")
def tiny_gguf(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("base") / "base.gguf"
    Converter.obtain(Settings().data_dir.absolute() / "training", quiet).model(tiny_base, path)
    return path


@pytest.fixture(scope="module")
def exported(run: Run) -> Exported:
    return export(run.config, run.rundir, report=quiet)


@pytest.mark.slow
def test_exported_files_match_the_trained_model(run: Run, exported: Exported) -> None:
    half, eight_bits = exported.parity.files
    note = json.loads((run.rundir.export / "parity.json").read_text())

    assert abs(half.change) < 0.001
    assert abs(eight_bits.change) < 0.01
    assert exported.parity.greedy_agreement >= 0.99
    assert exported.parity.greedy_tokens > 20
    assert note["nll_per_token"] == exported.parity.nll_per_token


@pytest.mark.slow
def test_an_export_writes_the_configured_files_and_a_card(run: Run, exported: Exported) -> None:
    names = sorted(path.name for path in run.rundir.export.glob("*.gguf"))
    (entry,) = read_catalog(run.config.output / "catalog.toml").model
    chosen, card = exported.models[-1], (run.rundir.export / "CARD.md").read_text()

    assert names == ["tiny-adapter.gguf", "tiny-f16.gguf", "tiny-q8_0.gguf"]
    assert chosen.path == tuned_gguf(run.config, run.rundir)
    assert chosen.sha256 == sha256_of(chosen.path)
    assert (entry.name, entry.path, entry.sha256) == ("tiny", chosen.path, chosen.sha256)
    assert all(one.sha256 in card for one in (exported.adapter, *exported.models))
    assert "CC0-1.0" in card
    # Embeddings that are the output as well are there once.
    assert "output.weight" not in GgufFile.read(exported.models[0].path).tensors


@pytest.mark.slow
def test_a_shared_adapter_gives_the_likelihoods_of_the_merged_model(
    run: Run, exported: Exported, tiny_gguf: Path
) -> None:
    chats = [row.messages for row in read_prepared(run.rundir).test[:2]]
    found = []
    for path, adapter in (
        (tiny_gguf, None),
        (tiny_gguf, exported.adapter.path),
        (exported.models[0].path, None),
    ):
        with served(source_of(path, adapter), slots=2) as model:
            found.append(np.concatenate([one.logprobs for one in model.score(chats)]))
    alone, beside, together = found

    assert np.abs(beside - together).max() < 0.1 * np.abs(alone - together).max()


@pytest.mark.slow
@pytest.mark.usefixtures("own_data_dir")
def test_the_command_all_makes_a_model_that_the_service_loads(
    tiny_config: MakeConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog = tmp_path / "catalog.toml"
    catalog.touch()
    # It learns enough to write one word, whose tokens are the same when its text is read again.
    config = tiny_config(
        lora__alpha=32,
        training__learning_rate=3e-2,
        training__epochs=50,
        training__max_steps=12,
        export={"quantisations": ["f16"], "catalog": str(catalog)},
        evaluation={"prompt_count": 1, "ideas_per_prompt": 2, "max_tokens_per_idea": 24},
    )
    file = tmp_path / "config.toml"
    file.write_text(dump_config(config), encoding="utf-8")

    status = main(["all", str(file)])

    reported = capsys.readouterr()
    assert status == 0, reported.err
    rundir = RunDirectory(config.output / config.name)
    selection = read_catalog(catalog).select(config.name)
    (model,) = selection.models
    assert "step 12/12" in reported.out
    assert read_result(rundir).steps == 12
    assert model.path == tuned_gguf(config, rundir)
    assert rundir.evaluation_json.is_file()
    assert "## As served" in (rundir.export / CARD).read_text()
    assert said_by(selection, tmp_path).startswith("Title: ")


def said_by(selection: Selection, folder: Path) -> str:
    """The answer of the service's brainstorm model under the grammar of ideas."""
    prompt = brainstorm_prompt("a place for keys", METHODS["free"].angles[0])
    (model,) = selection.models

    async def ask(backend: EmbeddedBackend) -> str:
        await backend.start()
        try:
            asked = replace(request_of(prompt), id="one", model=model.name)
            events = [event async for event in backend.submit(asked)]
        finally:
            await backend.close()
        assert isinstance(events[-1], Finished)
        return "".join(event.text for event in events if isinstance(event, Delta))

    with asyncio.Runner() as runner:
        return runner.run(ask(EmbeddedBackend(selection, models_dir=folder, threads=1)))


def copied(run: Run, folder: Path) -> RunDirectory:
    """Copies the rows and the adapter of a run."""
    rundir = RunDirectory(folder)
    shutil.copytree(run.rundir.data, rundir.data)
    shutil.copytree(run.rundir.adapter, rundir.adapter)
    return rundir


@pytest.fixture
def own_data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment with an empty cache for bases and the converters that were fetched before."""
    converter = Converter.obtain(Settings().data_dir.absolute() / "training", quiet).folder
    folder = tmp_path / "data" / "training"
    folder.mkdir(parents=True)
    (folder / converter.name).symlink_to(converter)
    monkeypatch.setenv("IDEAPOOL_DATA_DIR", str(tmp_path / "data"))
    return folder


def export_for(
    role: Role, run: Run, base: BaseConfig, folder: Path
) -> tuple[RunDirectory, Exported, Selection]:
    """Exports into a folder and returns the set that its catalog then has."""
    catalog = folder / "catalog.toml"
    exporting = ExportConfig(quantisations=("f16",), catalog=catalog, roles=(role,))
    config = run.config.model_copy(update={"base": base, "output": folder, "export": exporting})
    rundir = copied(run, folder / config.name)
    exported = export(config, rundir, report=quiet)
    return rundir, exported, read_catalog(catalog).select(config.name)


@pytest.mark.slow
@pytest.mark.usefixtures("own_data_dir")
def test_an_adapter_is_measured_with_the_gguf_it_was_trained_on(
    run: Run, tiny_gguf: Path, tmp_path: Path
) -> None:
    base = BaseConfig(gguf=tiny_gguf)
    rundir, exported, registered = export_for("general", run, base, tmp_path)
    *_, beside = exported.parity.files
    filled = registered.by_role["brainstorm"]

    assert (beside.file, beside.kind) == ("base.gguf with tiny-adapter.gguf", "adapter")
    assert abs(beside.change) < 0.001
    assert beside.file in (rundir.export / "CARD.md").read_text()
    assert read_text_metadata(exported.adapter.path)[BASE_SHA256_KEY] == sha256_of(tiny_gguf)
    assert str(tmp_path).encode() not in exported.adapter.path.read_bytes()
    assert filled.path is not None
    assert filled.path.resolve() == tiny_gguf.resolve()


@pytest.mark.slow
@pytest.mark.usefixtures("own_data_dir")
def test_a_hub_base_is_converted_to_the_type_of_the_tuned_model(
    run: Run, exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = run.config.model_copy(update={"output": tmp_path / "runs"})
    exports = RunDirectory(config.output / config.name).export
    exports.mkdir(parents=True)
    file = tmp_path / "config.toml"
    file.write_text(dump_config(config), encoding="utf-8")
    status, reported = main(["evaluate", str(file)]), capsys.readouterr().err
    base = exports / "tiny-base-q8_0.gguf"
    kinds = [
        [one.kind for one in GgufFile.read(path).tensors.values()]
        for path in (base, exported.models[-1].path)
    ]

    assert status == 1
    assert "tiny-q8_0.gguf does not exist. Export the run first" in reported
    assert [path.name for path in exports.glob("*.gguf")] == [base.name]
    assert kinds[0] == kinds[1]
    assert base_gguf(config, RunDirectory(exports.parent), report=quiet) == base


@pytest.mark.slow
@pytest.mark.usefixtures("own_data_dir")
def test_a_hub_base_fills_the_missing_role(run: Run, exported: Exported, tmp_path: Path) -> None:
    rundir, _, registered = export_for("brainstorm", run, run.config.base, tmp_path)
    filled = registered.by_role["general"]

    assert filled.path == rundir.export / "tiny-base-f16.gguf"
    assert filled.sha256 == sha256_of(filled.path) != exported.models[0].sha256


@pytest.mark.slow
def test_an_adapter_file_names_its_base_and_keeps_its_other_metadata(
    run: Run, exported: Exported, tiny_base: Path, tmp_path: Path
) -> None:
    converter = Converter.obtain(Settings().data_dir.absolute() / "training", quiet)
    target, name = tmp_path / "named.gguf", "b" * 64
    with_name = adapter_file(converter, run.rundir.adapter, tiny_base, target, made_for=name)
    # The base of this run is no file, so there is none to name.
    without = exported.adapter
    texts = read_text_metadata(with_name.path)
    first, second = GgufFile.read(with_name.path), GgufFile.read(without.path)

    assert texts.pop(BASE_SHA256_KEY) == "b" * 64
    assert texts == read_text_metadata(without.path)
    assert first.metadata == {**second.metadata, BASE_SHA256_KEY: "b" * 64}
    assert [(one.kind, one.shape) for one in first.tensors.values()] == [
        (one.kind, one.shape) for one in second.tensors.values()
    ]
    assert [content(first, name) for name in first.tensors] == [
        content(second, name) for name in second.tensors
    ]
    assert with_name.sha256 == sha256_of(with_name.path)


def content(layout: GgufFile, name: str) -> bytes:
    tensor = layout.tensors[name]
    return layout.path.read_bytes()[tensor.offset : tensor.offset + tensor.size_bytes]


def carded(rundir: RunDirectory, sha256: str = "1" * 64) -> str:
    """The card after an evaluation whose tuned file has this hash."""
    measured = evaluation(system(refined=["Forty bikes"]), system(refined=["Forty bikes, no pump"]))
    measured = replace(measured, tuned=measured.tuned | {"sha256": sha256})
    rundir.write_json(rundir.evaluation_json, plain(measured))
    write_card(rundir)
    return (rundir.export / CARD).read_text()


def facts_of(sha256: str) -> ModelFacts:
    file = {"file": "a-f16.gguf", "kind": "f16", "sha256": sha256, "size_bytes": 1}
    return ModelFacts("a", "base", "0" * 64, "Apache-2.0", [file], asdict(PARITY), 'name = "a"')


def test_a_card_has_the_figures_of_an_evaluation_of_its_files(tmp_path: Path) -> None:
    rundir = RunDirectory(tmp_path)
    rundir.export.mkdir()
    rundir.write_json(rundir.export / FACTS, asdict(facts_of("1" * 64)))

    card = carded(rundir)

    assert "## As served" in card
    assert "`b.gguf` against the untuned `a.gguf`" in card
    assert "| refinements: facts kept, share | 0.500 | 0.500 |" in card
    assert card.index("## As exported") < card.index("## As served") < card.index("## Config")


def test_a_card_has_the_figures_of_an_evaluation_of_its_shared_adapter(
    tmp_path: Path,
) -> None:
    rundir = RunDirectory(tmp_path)
    rundir.export.mkdir()
    rundir.write_json(rundir.export / FACTS, asdict(facts_of("2" * 64)))

    assert "## As served" in carded(rundir, BESIDE.join(("1" * 64, "2" * 64)))


def test_a_card_has_no_figures_of_another_file(tmp_path: Path) -> None:
    rundir = RunDirectory(tmp_path)
    rundir.export.mkdir()
    rundir.write_json(rundir.export / FACTS, asdict(facts_of("2" * 64)))

    assert "## As served" not in carded(rundir)


def test_a_run_that_was_not_exported_gets_no_card(tmp_path: Path) -> None:
    write_card(RunDirectory(tmp_path))

    assert list(tmp_path.iterdir()) == []


def test_rewriting_a_card_does_not_make_an_old_export_current(run: Run, tmp_path: Path) -> None:
    rundir = RunDirectory(tmp_path)
    for folder in (rundir.export, rundir.adapter):
        folder.mkdir()
    tuned_gguf(run.config, rundir).touch()
    facts, adapter = rundir.export / FACTS, rundir.adapter / "adapter_model.safetensors"
    rundir.write_json(facts, asdict(facts_of("1" * 64)))
    adapter.touch()
    os.utime(facts, (1000, 1000))
    carded(rundir)

    assert not is_exported(run.config, rundir)
    os.utime(adapter, (999, 999))
    assert is_exported(run.config, rundir)


def test_an_export_with_another_base_is_refused(run: Run, tmp_path: Path) -> None:
    rundir = RunDirectory(tmp_path)
    rundir.adapter.mkdir()
    rundir.write_manifest(Manifest("tiny", "finished", now(), base_sha256="0" * 64))

    with pytest.raises(BaseMismatch, match="0" * 64):
        export(run.config, rundir, report=quiet)


def test_a_run_without_an_adapter_is_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ExportFailed, match="Train the run first"):
        export(run.config, RunDirectory(tmp_path), report=quiet)


def test_an_adapter_of_another_model_is_refused(run: Run, tmp_path: Path) -> None:
    rundir = RunDirectory(tmp_path)
    add_adapter(opened(run.config), rundir)
    note = rundir.adapter / "adapter_config.json"
    note.write_text(json.dumps(json.loads(note.read_text()) | {"r": 8}))

    with pytest.raises(ExportFailed, match="does not fit"):
        merged(opened(run.config).model, rundir.adapter)


@pytest.mark.parametrize(
    ("parity", "problem"),
    [
        (PARITY, None),
        (replace(PARITY, files=(FileParity("x.gguf", "f16", 2.02, 0.01),)), r"x\.gguf.*\+1\.00%"),
        (replace(PARITY, files=(FileParity("x.gguf", "f16", 1.98, -0.01),)), r"-1\.00%"),
        (replace(PARITY, files=(FileParity("x.gguf", "q4_k_m", 2.1, 0.05),)), "the limit is 3%"),
        (replace(PARITY, files=(FileParity("x.gguf", "q8_0", 0, float("nan")),)), "nan"),
        (replace(PARITY, files=(FileParity("x", "adapter", 2.1, 0.05),)), "the limit is 2%"),
        (replace(PARITY, greedy_tokens=0, greedy_agreement=0.0), "no token of the f16 file"),
        (replace(PARITY, greedy_agreement=0.98), r"98\.0% of the greedy tokens"),
    ],
)
def test_a_file_that_exceeds_its_parity_limit_is_a_problem(
    parity: Parity, problem: str | None
) -> None:
    found = parity.problems()

    assert len(found) == (problem is not None)
    if problem is not None:
        assert re.search(problem, found[0])


def test_a_refused_file_is_recorded_until_its_kind_is_exported_again(tmp_path: Path) -> None:
    rundir, (half, small) = RunDirectory(tmp_path), PARITY.files
    rundir.adapter.mkdir()
    bad = replace(small, change=0.1235)
    first, second = replace(PARITY, files=(half, bad)), replace(PARITY, files=(half,))

    assert with_refused(first, rundir) == first
    for parity in (first, second, second):
        rundir.write_json(rundir.parity, asdict(with_refused(parity, rundir)))

    assert read_parity(rundir) == replace(second, refused=(bad,))
    assert with_refused(PARITY, rundir) == PARITY


def test_files_refused_for_an_earlier_adapter_are_forgotten(tmp_path: Path) -> None:
    rundir, (half, small) = RunDirectory(tmp_path), PARITY.files
    refused = replace(PARITY, files=(replace(small, change=0.1235),))
    rundir.write_json(rundir.parity, asdict(refused))
    rundir.adapter.mkdir()
    trained = rundir.adapter / "adapter_model.safetensors"
    trained.touch()
    os.utime(trained, (rundir.parity.stat().st_mtime + 1,) * 2)
    now_made = replace(PARITY, files=(half,))

    assert with_refused(now_made, rundir) == now_made


def test_a_model_trained_on_non_commercial_rows_is_not_registered(run: Run, tmp_path: Path) -> None:
    rundir = RunDirectory(tmp_path / "tiny")
    rundir.adapter.mkdir(parents=True)
    for split in ("train", "validation", "test"):
        rows = read_rows(run.rundir.rows(split))
        write_rows(rundir.rows(split), [replace(row, licence="CC-BY-NC-4.0") for row in rows])

    with pytest.raises(DataProblem, match=r"/refine.jsonl \(CC-BY-NC-4.0\).*`export.catalog`"):
        export(run.config, rundir, report=quiet)
    assert not rundir.export.exists()


def registration(
    tmp_path: Path, name: str = "mine", roles: tuple[Role, ...] = ("brainstorm", "general")
) -> Registration:
    path = tmp_path / "models" / f"{name}.gguf"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"GGUF")
    like = next(one for one in read_catalog(CATALOG).model if one.name == "smollm2-135m")
    return Registration(name, path, sha256_of(path), roles, like)


def test_an_entry_inherits_from_its_base_and_keeps_the_other_entries(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.toml"
    text = CATALOG.read_text(encoding="utf-8")
    catalog.write_text(text, encoding="utf-8")
    register(registration(tmp_path), catalog)
    entry = read_catalog(catalog).select("mine").models[0]

    assert catalog.read_text(encoding="utf-8").startswith(text)
    assert entry.path == tmp_path / "models" / "mine.gguf"
    assert (entry.context, entry.slots, entry.cache) == (2048, 8, "streams")
    assert entry.licence == "Apache-2.0"
    # It has its own type; it is not to be quantised again.
    assert entry.quantise is None


def test_registering_again_replaces_the_entry_and_keeps_comments(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.toml"
    register(registration(tmp_path), catalog)
    with catalog.open("a", encoding="utf-8") as file:
        file.write("\n# What follows is good.\n")
    register(registration(tmp_path, "other"), catalog)
    register(registration(tmp_path), catalog)

    assert [one.name for one in read_catalog(catalog).model] == ["other", "mine"]
    assert catalog.read_text().lstrip().startswith("# What follows is good.")


def test_the_base_fills_the_roles_that_the_exported_model_lacks(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.toml"
    register(registration(tmp_path, roles=("brainstorm",)), catalog)
    register(registration(tmp_path, roles=("brainstorm",)), catalog)
    selection = read_catalog(catalog).select("mine")
    like = next(one for one in read_catalog(CATALOG).model if one.name == "smollm2-135m")

    assert [one.name for one in selection.models] == ["mine", "mine-base"]
    assert selection.by_role["brainstorm"].path == tmp_path / "models" / "mine.gguf"
    filled = selection.by_role["general"]
    expected = replace(like, name="mine-base", set="mine", roles=("general",))
    assert replace(filled, score_head=None) == replace(expected, score_head=None)
    assert filled.score_head is not None
    assert filled.score_head.path.resolve() == CATALOG.with_name("smollm2-135m-head.npz")
    register(registration(tmp_path), catalog)
    assert [one.name for one in read_catalog(catalog).model] == ["mine"]


def test_a_base_that_is_a_file_fills_the_missing_role_with_that_file(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.toml"
    base = tmp_path / "elsewhere" / "base.gguf"
    one = registration(tmp_path, roles=("general",))
    like = CatalogModel("base", ("general",), path=base, sha256="b" * 64)
    register(replace(one, like=like), catalog)
    filled = read_catalog(catalog).select("mine").by_role["brainstorm"]

    assert (filled.name, filled.path, filled.sha256) == ("mine-base", base, "b" * 64)


def test_a_model_without_a_set_fills_the_missing_role(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.toml"
    everywhere = '[[model]]\nname = "all"\nroles = ["general"]\npath = "all.gguf"\n'
    catalog.write_text(everywhere, encoding="utf-8")
    register(registration(tmp_path, roles=("brainstorm",)), catalog)

    assert [one.name for one in read_catalog(catalog).select("mine").models] == ["all", "mine"]


@pytest.mark.parametrize(
    ("roles", "words"),
    [(("brainstorm",), "general needs exactly one model and has none"), (("general",), "has all")],
)
def test_a_set_that_could_not_be_served_is_not_registered(
    tmp_path: Path, roles: tuple[Role, ...], words: str
) -> None:
    catalog = tmp_path / "catalog.toml"
    text = '[[model]]\nname = "all"\nroles = ["general"]\npath = "all.gguf"\n'
    catalog.write_text(text if words == "has all" else "", encoding="utf-8")
    before = catalog.read_text()

    with pytest.raises(ExportFailed, match=words):
        register(replace(registration(tmp_path, roles=roles), like=None), catalog)
    assert catalog.read_text() == before


def test_an_unreadable_catalog_is_left_unchanged(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.toml"
    catalog.write_text("default = 3\n", encoding="utf-8")

    with pytest.raises(ConfigurationError):
        register(registration(tmp_path), catalog)
    assert catalog.read_text() == "default = 3\n"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["catalog.toml"]


def test_the_output_of_a_failed_converter_is_shown(tmp_path: Path) -> None:
    script = tmp_path / "convert_hf_to_gguf.py"
    script.write_text("print('first'); raise SystemExit('Model Foo is not supported')")
    target = tmp_path / "out.gguf"

    with pytest.raises(ExportFailed, match="Model Foo is not supported"):
        Converter(tmp_path).model(tmp_path, target)
    assert list(tmp_path.iterdir()) == [script]


def test_only_the_converters_are_unpacked_from_the_source(tmp_path: Path) -> None:
    source, folder = tmp_path / "source.tar.gz", tmp_path / "scripts"
    inside = "llama_cpp_python-1/vendor/llama.cpp"
    _pack(source, f"{inside}/convert_hf_to_gguf.py", f"{inside}/conversion/base.py", "x/setup.py")
    converters.unpack(source, folder)

    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.py"))
    assert found == ["conversion/base.py", "convert_hf_to_gguf.py"]


def test_a_source_with_a_file_outside_its_folder_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "source.tar.gz"
    _pack(source, "a/vendor/llama.cpp/conversion/../../../evil.py")

    with pytest.raises(ExportFailed, match="outside"):
        converters.unpack(source, tmp_path / "inner" / "scripts")
    assert not list(tmp_path.rglob("evil.py"))


def _pack(path: Path, *names: str) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 1
            archive.addfile(member, io.BytesIO(b"#"))
