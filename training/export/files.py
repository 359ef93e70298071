"""Makes the files of an export: merged, converted and quantised, each with its hash."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import peft
import torch

from service.engine.files.atomic_write import replacing
from service.engine.files.build import build
from service.engine.files.build_plan import BASE_SHA256_KEY, Recipe
from service.engine.files.checksums import known_sha256
from service.engine.files.download import FetchProgress
from service.engine.types import Quantisation
from training.errors import ExportFailed, Report
from training.export.converter import Converter


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
    """Merges the adapter into the weights of the base, in place.

    Raises:
        ExportFailed: there is no adapter, or it does not fit the base.
    """
    if not (adapter / "adapter_config.json").is_file():
        raise ExportFailed(f"There is no adapter in {adapter}. Train the run first.")
    try:
        model = peft.PeftModel.from_pretrained(base, str(adapter)).merge_and_unload()
    except (RuntimeError, ValueError, KeyError) as error:
        raise ExportFailed(f"The adapter in {adapter} does not fit the base: {error}") from error
    return model.eval()


def adapter_file(
    converter: Converter, adapter: Path, base: Path, target: Path, *, made_for: str | None
) -> ExportedFile:
    """`made_for` is the SHA-256 of the GGUF that it was trained on; it is added to the metadata."""
    converter.adapter(adapter, base, target)
    if made_for is not None:
        _add_text(target, BASE_SHA256_KEY, made_for)
    return ExportedFile.of(target, "adapter")


def _add_text(path: Path, key: str, text: str) -> None:
    """Adds an entry to the metadata of a GGUF file and keeps everything else."""
    reader = gguf.GGUFReader(path)
    with replacing(path) as draft:
        writer = gguf.GGUFWriter(draft, reader.fields["general.architecture"].contents())
        for field in reader.fields.values():
            # The writer adds these entries itself.
            if field.name != "general.architecture" and not field.name.startswith("GGUF."):
                kind, inner = field.types[0], field.types[-1]
                writer.add_key_value(field.name, field.contents(), kind, sub_type=inner)
        writer.add_string(key, text)
        for tensor in reader.tensors:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def half_precision_file(
    converter: Converter, model: Any, tokenizer: Any, target: Path
) -> ExportedFile:
    """Converts a copy of the weights in half precision; the model stays unchanged."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".merged-") as scratch:
        folder = Path(scratch)
        model.save_pretrained(folder, state_dict=_in_half_precision(model))
        tokenizer.save_pretrained(folder)
        converter.model(folder, target)
    return ExportedFile.of(target, "f16")


def _in_half_precision(model: Any) -> dict[str, torch.Tensor]:
    """The weights in half precision. Tensors that share memory, such as tied embeddings, still do."""
    halves: dict[int, torch.Tensor] = {}
    state = model.state_dict()
    for tensor in state.values():
        halves.setdefault(tensor.data_ptr(), tensor.to(torch.float16))
    return {name: halves[tensor.data_ptr()] for name, tensor in state.items()}


def quantised_files(
    source: ExportedFile, name: str, kinds: Sequence[Quantisation], report: Report
) -> list[ExportedFile]:
    """Makes the files beside the source with the service's builder. Raises `ModelUnavailable`."""
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
