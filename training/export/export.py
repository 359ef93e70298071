"""Exports a run's adapter to files that the service loads, and checks each against the trained model.

The base, the rows and the adapter are those recorded in the run's directory.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from service.engine.catalog import CatalogModel, read_catalog
from service.engine.files.checksums import known_sha256
from service.engine.types import REQUIRED_ROLES
from service.settings import PROJECT_ROOT, Settings
from training.config import CATALOG, RunConfig, dump_config
from training.data.prepare import check_licences, read_prepared
from training.data.rows import Row, read_rows
from training.errors import BaseMismatch, DataProblem, ExportFailed, Report
from training.evaluation.evaluation_text import in_short
from training.export.cards import ModelFacts, model_card
from training.export.converter import Converter
from training.export.files import (
    ExportedFile,
    adapter_file,
    half_precision_file,
    merged,
    quantised_files,
)
from training.export.parity import Checker, FileParity, Parity, with_refused
from training.export.registration import Registration, register
from training.inference.served import BESIDE, Adapted, Source
from training.learning.base import Base, hub_folder, load_base
from training.learning.likelihood import answer_nll, greedy_agreement, total
from training.learning.tokens import RowTokeniser
from training.runs.run_directory import RunDirectory

ROWS = 64
SMALL_PARAMETERS = 500_000_000
SMALL_LIMIT = (
    "With so few parameters it keeps the asked form, but its ideas are rarely useful, and its "
    "refinements may drop or reverse what a note says."
)
PACKAGES = ("torch", "transformers", "peft", "trl", "llama-cpp-python")
CARD = "CARD.md"
FACTS = "card.json"
"""The contents of the card, so that it can be rewritten after an evaluation."""


@dataclass(frozen=True, slots=True)
class Exported:
    """`models` is in the order of `export.quantisations`; the last one is served."""

    adapter: ExportedFile
    models: tuple[ExportedFile, ...]
    parity: Parity


def export(config: RunConfig, rundir: RunDirectory, *, report: Report) -> Exported:
    """Writes the adapter, the merged models, parity.json and CARD.md with its facts to `export/`.

    Raises:
        ExportFailed: there is no adapter, it cannot be converted, or a file exceeds its parity limit.
        BaseMismatch: the base is not the one that the run was trained on.
        DataProblem: there are no rows, or the model is to be registered and a row is non-commercial.
    """
    if not rundir.adapter.is_dir():
        raise ExportFailed(f"There is no adapter in {rundir.adapter}. Train the run first.")
    base = _base(config, rundir, report)
    if config.export.catalog is not None:
        prepared = read_prepared(rundir)
        check_licences([*prepared.train, *prepared.validation, *prepared.test])
    rows = _rows(rundir, base, config.data.max_tokens)
    rundir.export.mkdir(parents=True, exist_ok=True)
    converter = _converter(report)
    report("Converting the adapter")
    adapter = adapter_file(
        converter,
        rundir.adapter,
        base.folder,
        rundir.export / f"{config.name}-adapter.gguf",
        made_for=base.sha256 if base.gguf is not None else None,
    )
    report("Merging the adapter into the base")
    tuned = replace(base, model=merged(base.model, rundir.adapter))
    half, *others = _models(config, rundir, converter, tuned, report)
    measured = _parity(tuned, rows, [adapter, half, *others], config, report)
    parity = with_refused(measured, rundir)
    rundir.write_json(rundir.parity, asdict(parity))
    _refuse(parity.problems(), rundir)
    exported = Exported(adapter, _asked_for(config, [half, *others]), parity)
    rundir.write_json(rundir.export / FACTS, asdict(_facts(config, rundir, tuned, exported)))
    write_card(rundir)
    if config.export.catalog is not None:
        register(_registration(config, rundir, tuned, exported, report), config.export.catalog)
        report(f"Registered as {config.name} in {config.export.catalog}")
    report(f"Exported to {rundir.export}")
    return exported


def is_exported(config: RunConfig, rundir: RunDirectory) -> bool:
    """Whether an export of this adapter has finished."""
    facts = rundir.export / FACTS
    return (
        facts.exists()
        and facts.stat().st_mtime >= rundir.adapter_mtime
        and tuned_gguf(config, rundir).exists()
    )


def write_card(rundir: RunDirectory) -> None:
    """Writes the card, with the figures of the evaluation if that was of an exported file or adapter.

    Does nothing for a run that was not exported.
    """
    found = _read(rundir, rundir.export / FACTS)
    if found is None:
        return
    facts, evaluation = ModelFacts(**found), _read(rundir, rundir.evaluation_json)
    files = {one["sha256"] for one in facts.files}
    if evaluation is not None and files.intersection(evaluation["tuned"]["sha256"].split(BESIDE)):
        facts = replace(facts, as_served=tuple(in_short(evaluation)))
    rundir.write_text(rundir.export / CARD, model_card(facts))


def tuned_gguf(config: RunConfig, rundir: RunDirectory) -> Path:
    """The exported model to serve: the last of `export.quantisations`."""
    return _path(config, rundir, config.export.quantisations[-1])


def base_gguf(config: RunConfig, rundir: RunDirectory, *, report: Report) -> Path:
    """The untuned base in the type of the tuned model, for a base from the hub; made once.

    Raises:
        ExportFailed: the run is not exported, or the base cannot be converted.
    """
    if not rundir.export.is_dir():
        raise ExportFailed(
            f"{rundir.export} does not exist. Export the run first, or name a GGUF of {config.base.hf} "
            "with --base."
        )
    kind, name = config.export.quantisations[-1], f"{config.name}-base"
    target = rundir.export / f"{name}-{kind}.gguf"
    if not target.is_file():
        report("Converting the base")
        half = rundir.export / f"{name}-f16.gguf"
        _converter(report).model(hub_folder(str(config.base.hf), report), half)
        if kind != "f16":
            quantised_files(ExportedFile.of(half, "f16"), name, [kind], report)
            half.unlink()
    return target


def _converter(report: Report) -> Converter:
    return Converter.obtain(Settings().data_dir.absolute() / "training", report)


def _path(config: RunConfig, rundir: RunDirectory, kind: str) -> Path:
    return rundir.export / f"{config.name}-{kind}.gguf"


def _base(config: RunConfig, rundir: RunDirectory, report: Report) -> Base:
    settings = Settings()
    # The changes of an adapter are smaller than the steps of half precision.
    base = load_base(
        config.base.model_copy(update={"dtype": "float32"}),
        cache=settings.data_dir.absolute() / "training" / "bases",
        models_dir=settings.models_dir.absolute(),
        report=report,
    )
    manifest = rundir.read_manifest()
    trained = manifest.base_sha256 if manifest is not None else None
    if trained is not None and trained != base.sha256:
        raise BaseMismatch(
            f"The adapter in {rundir.path} was trained on a base with the SHA-256 {trained}, but the "
            f"config names one with {base.sha256}. Set the base of the run in the config."
        )
    return base


def _rows(rundir: RunDirectory, base: Base, max_tokens: int) -> list[Row]:
    """Rows spread over the test split (or else validation, then train), without those that are cut."""
    tokeniser = RowTokeniser(base.tokenizer, max_tokens)
    for split in ("test", "validation", "train"):
        path = rundir.rows(split)
        found = read_rows(path) if path.is_file() else ()
        spread = found[:: max(1, len(found) // ROWS)]
        rows = [replace(row, answers="last") for row in spread]
        whole = [row for row in rows if not tokeniser.cut(row)[1]]
        if whole:
            return whole[:ROWS]
    raise DataProblem("there are no rows to check the export with.", path=rundir.data)


def _models(
    config: RunConfig, rundir: RunDirectory, converter: Converter, tuned: Base, report: Report
) -> list[ExportedFile]:
    """The f16 file, which is always made, and the others."""
    report("Converting the merged model")
    half = half_precision_file(
        converter, tuned.model, tuned.tokenizer, _path(config, rundir, "f16")
    )
    kinds = [kind for kind in config.export.quantisations if kind != "f16"]
    return [half, *quantised_files(half, config.name, kinds, report)]


def _asked_for(config: RunConfig, models: Sequence[ExportedFile]) -> tuple[ExportedFile, ...]:
    by_kind = {one.kind: one for one in models}
    for one in models:
        if one.kind not in config.export.quantisations:
            one.path.unlink()
    return tuple(by_kind[kind] for kind in config.export.quantisations)


def _parity(
    tuned: Base,
    rows: Sequence[Row],
    files: Sequence[ExportedFile],
    config: RunConfig,
    report: Report,
) -> Parity:
    """`files` has the adapter, the f16 file and the others.

    The adapter is read together with the base's GGUF, if there is one.
    """
    tokeniser = RowTokeniser(tuned.tokenizer, config.data.max_tokens)
    checker = Checker(rows, config.data.max_tokens, config.training.threads, report)
    report(f"Reading {len(rows)} rows with transformers")
    expected = total(answer_nll(tuned.model, [tokeniser(row) for row in rows])).nll_per_token
    adapter, *models = files
    sources: list[tuple[Source, str]] = [(one.path, one.kind) for one in models]
    if tuned.gguf is not None:
        sources.append((Adapted(tuned.gguf, adapter.path), adapter.kind))
    measured = []
    for source, kind in sources:
        found = checker.nll_per_token(source)
        measured.append(FileParity(source.name, kind, found, found / expected - 1))
    chats = []
    for written in checker.write(models[0].path):
        tokens = tokeniser(written.row)
        tokens.mask[-1] = written.is_ended
        # A text that is tokenised differently than it was generated cannot be compared.
        if tokens.labels == written.tokens:
            chats.append(tokens)
    agreed, count = greedy_agreement(tuned.model, chats)
    return Parity(len(rows), expected, tuple(measured), count, agreed / max(1, count))


def _refuse(problems: Sequence[str], rundir: RunDirectory) -> None:
    if problems:
        raise ExportFailed(
            f"The files in {rundir.export} differ from the trained model: {'; '.join(problems)}."
        )


def _facts(config: RunConfig, rundir: RunDirectory, tuned: Base, exported: Exported) -> ModelFacts:
    entry = _catalog_entry(config)
    parameters = sum(one.numel() for one in tuned.model.parameters())
    return ModelFacts(
        name=config.name,
        base=config.base.model or (tuned.gguf or tuned.folder).name,
        base_sha256=tuned.sha256,
        base_licence=(entry.licence if entry is not None else None) or "licence not known",
        files=[
            {
                "file": one.path.name,
                "kind": one.kind,
                "sha256": one.sha256,
                "size_bytes": one.size_bytes,
            }
            for one in (exported.adapter, *exported.models)
        ],
        parity=asdict(exported.parity),
        config=dump_config(config).replace(f"{PROJECT_ROOT}/", ""),
        data=_read(rundir, rundir.data / "report.json"),
        result=_read(rundir, rundir.result),
        versions={name: version(name) for name in PACKAGES},
        limits=(SMALL_LIMIT,) if parameters < SMALL_PARAMETERS else (),
    )


def _read(rundir: RunDirectory, path: Path) -> Any:
    return rundir.read_json(path) if path.is_file() else None


def _catalog_entry(config: RunConfig) -> CatalogModel | None:
    models = read_catalog(CATALOG).model if config.base.model is not None else ()
    return next((one for one in models if one.name == config.base.model), None)


def _registration(
    config: RunConfig, rundir: RunDirectory, tuned: Base, exported: Exported, report: Report
) -> Registration:
    chosen, roles, like = exported.models[-1], config.export.roles, _catalog_entry(config)
    if like is None and not set(REQUIRED_ROLES) <= set(roles):
        path = tuned.gguf or base_gguf(config, rundir, report=report)
        like = CatalogModel(path.stem, roles, path=path, sha256=known_sha256(path))
    return Registration(config.name, chosen.path, chosen.sha256, roles, like)
