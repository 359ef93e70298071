"""The files of an export: merged, converted, in fewer bits, each with its hash. Measures nothing."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peft
import torch

from service.engine.build import build
from service.engine.recipe import Recipe
from service.engine.starter import FetchProgress
from service.engine.types import Quantisation
from service.engine.weights import known_sha256
from training.errors import ExportFailed, Report
from training.exporting.converter import Converter


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """`kind` is "adapter" or the type of a merged model's weights."""

    path: Path
    kind: str
    sha256: str
    size_bytes: int

    @classmethod
    def of(cls, path: Path, kind: str) -> "ExportedFile":
        return cls(path, kind, known_sha256(path), path.stat().st_size)


def merged(base: Any, adapter: Path) -> Any:
    """The base, which is changed, with the adapter in its weights.

    Raises:
        ExportFailed: there is no adapter, or it is another base's.
    """
    if not (adapter / "adapter_config.json").is_file():
        raise ExportFailed(f"There is no adapter in {adapter}. Train the run first.")
    try:
        model = peft.PeftModel.from_pretrained(base, str(adapter)).merge_and_unload()
    except (RuntimeError, ValueError, KeyError) as error:
        raise ExportFailed(f"The adapter in {adapter} does not fit the base: {error}") from error
    return model.eval()


def adapter_file(converter: Converter, adapter: Path, base: Path, target: Path) -> ExportedFile:
    converter.adapter(adapter, base, target)
    return ExportedFile.of(target, "adapter")


def half_precision_file(
    converter: Converter, model: Any, tokenizer: Any, target: Path
) -> ExportedFile:
    """Leaves the model as it is."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".merged-") as scratch:
        folder = Path(scratch)
        model.save_pretrained(folder, state_dict=_in_half_precision(model))
        tokenizer.save_pretrained(folder)
        converter.model(folder, target)
    return ExportedFile.of(target, "f16")


def _in_half_precision(model: Any) -> dict[str, torch.Tensor]:
    """Tensors that are one in the model, such as tied embeddings, stay one."""
    halves: dict[int, torch.Tensor] = {}
    state = model.state_dict()
    for tensor in state.values():
        halves.setdefault(tensor.data_ptr(), tensor.to(torch.float16))
    return {name: halves[tensor.data_ptr()] for name, tensor in state.items()}


def quantised_files(
    source: ExportedFile, name: str, kinds: Sequence[Quantisation], report: Report
) -> list[ExportedFile]:
    """Beside the source, by the service's own builder. Raises ModelUnavailable."""
    folder = source.path.parent
    files = []
    for kind in kinds:
        report(f"Quantising to {kind}")
        recipe = Recipe(name, source.path, source.sha256, kind)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".quantised-") as scratch:
            built = build(recipe, Path(scratch), _ignore)
            target = folder / f"{name}-{kind}.gguf"
            shutil.move(built.path, target)
        files.append(ExportedFile.of(target, kind))
    return files


def _ignore(_: FetchProgress) -> None:
    pass
