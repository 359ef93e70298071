"""The plan of a built model file: its inputs, its name, and the record beside it. Builds nothing.

The record says which inputs the file was built from and which hash it had. A file with other
inputs, of another version of llama.cpp or with other content is therefore never served.

Processors round differently, so the same recipe may give files with different hashes. A model's
identity is therefore the hash of its inputs, which is the same on all machines.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from service.engine.catalog import Adapter, CatalogModel
from service.engine.files.atomic_write import write_whole
from service.engine.files.checksums import PATH_ADVICE, known_sha256, verified_sha256
from service.engine.files.gguf_header import read_text_metadata
from service.engine.llama.libraries import LLAMA_CPP
from service.engine.types import Quantisation
from service.errors import ModelUnavailable
from service.messages import Text

# To be increased when a change of the code makes another file of the same inputs.
VERSION = 1
# The inputs that make it another model; the others only make it another file.
IDENTITY_INPUTS = ("base_sha256", "quantise", "adapter_sha256", "adapter_scale")
# The key in an adapter's metadata for the hash of the weights it was trained on.
BASE_SHA256_KEY = "ideapool.base_sha256"
KEY_DIGITS = 12
LONGEST_STEM = 150
SUFFIX = ".build.json"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Re-quantise the base if `quantise` is given, and merge the adapter if there is one."""

    model: str
    base: Path
    base_sha256: str
    quantise: Quantisation | None
    adapter: Path | None = None
    adapter_sha256: str | None = None
    adapter_scale: float = 0.0

    @classmethod
    def of(cls, model: CatalogModel, models_dir: Path) -> Self | None:
        """The recipe of the served file; None if the weights are served unchanged.

        It may have to hash files.

        Raises:
            ModelUnavailable: a file whose hash is needed is missing or corrupt, or the adapter was
                made for another base.
        """
        adapter = model.adapter
        if adapter is not None and adapter.use == "shared":
            adapter = None
        return cls._of(model, adapter, models_dir)

    @classmethod
    def in_effect(cls, model: CatalogModel, models_dir: Path) -> Self | None:
        """The recipe that treats an adapter that is applied at run time as merged.

        Raises:
            ModelUnavailable: as for `of`.
        """
        return cls._of(model, model.adapter, models_dir)

    @classmethod
    def _of(cls, model: CatalogModel, adapter: Adapter | None, models_dir: Path) -> Self | None:
        if adapter is not None and not adapter.scale:
            adapter = None
        if adapter is None and model.quantise is None:
            return None
        base = model.weights_path(models_dir)
        # The hash in the catalog is enough: the base may be gone once the model is built.
        base_sha256 = model.sha256 or verified_sha256(base, None, advice=PATH_ADVICE)
        plain = cls(model.name, base, base_sha256, model.quantise)
        if adapter is None:
            return plain
        found = verified_adapter(adapter, base, base_sha256)
        scale = float(adapter.scale)
        return replace(plain, adapter=adapter.path, adapter_sha256=found, adapter_scale=scale)

    @property
    def inputs(self) -> dict[str, Any]:
        """Everything that determines the content of the built file."""
        return {
            "recipe": VERSION,
            "llama_cpp_python": LLAMA_CPP,
            "base_sha256": self.base_sha256,
            "quantise": self.quantise,
            "adapter_sha256": self.adapter_sha256,
            "adapter_scale": self.adapter_scale,
        }

    @property
    def identity(self) -> str:
        return _identity(self.inputs)

    @property
    def file_name(self) -> str:
        text = json.dumps(self.inputs, sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]
        # Models that only re-quantise the same base share one file, and so its memory.
        stem = self.base.stem if self.adapter is None else self.model
        return "-".join(filter(None, (stem[:LONGEST_STEM], self.quantise, key))) + ".gguf"

    def __str__(self) -> str:
        parts = [self.base.name]
        if self.quantise is not None:
            parts.append(f"re-quantised to {self.quantise}")
        if self.adapter is not None:
            parts.append(f"with {self.adapter.name} merged in (scale {self.adapter_scale:g})")
        return ", ".join(parts)

    def find(self, models_dir: Path) -> "Built | None":
        """The built file, if it is beside the base (as in an image) or in the folder."""
        for folder in dict.fromkeys((self.base.parent, models_dir)):
            path = folder / self.file_name
            record = Record.read(path)
            if record is None or record.inputs != self.inputs or not path.is_file():
                continue
            if known_sha256(path) == record.sha256:
                return Built(path, record.sha256)
        return None


@dataclass(frozen=True, slots=True)
class Built:
    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class Record:
    """The content of `<file>.build.json`.

    The file is removed when none of `models` is served from it any more.
    """

    models: tuple[str, ...]
    made_of: str
    inputs: dict[str, Any]
    sha256: str

    @classmethod
    def read(cls, path: Path) -> Self | None:
        with contextlib.suppress(OSError, ValueError, TypeError, LookupError):
            note = json.loads(_record_path(path).read_text(encoding="utf-8"))
            return cls(tuple(note["models"]), note["made_of"], note["inputs"], note["sha256"])
        return None

    def write(self, path: Path) -> None:
        write_whole(_record_path(path), json.dumps(asdict(self), indent=1))


def model_identity(path: Path, adapter: Adapter | None = None) -> str:
    """The identity of a file of weights with an adapter that is applied to them.

    It is the hash of the inputs if the file was built, else the hash of the file. It may have to
    hash files.
    """
    found, record = known_sha256(path), Record.read(path)
    inputs = record.inputs if record is not None and record.sha256 == found else None
    if adapter is None or not adapter.scale:
        return _identity(inputs) if inputs is not None else found
    if inputs is None or inputs["adapter_sha256"] is not None:
        inputs = {"base_sha256": found, "quantise": None}
    added = {"adapter_sha256": known_sha256(adapter.path), "adapter_scale": float(adapter.scale)}
    return _identity({**inputs, **added})


def _identity(inputs: dict[str, Any]) -> str:
    text = json.dumps({key: inputs[key] for key in IDENTITY_INPUTS}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def verified_adapter(adapter: Adapter, base: Path, base_sha256: str) -> str:
    """Check that an adapter may be used with this base; returns the adapter's hash.

    Raises:
        ModelUnavailable: the file is missing or corrupt, or it names another base.
    """
    found = verified_sha256(adapter.path, adapter.sha256, advice=PATH_ADVICE)
    made_for = None if adapter.any_base else read_text_metadata(adapter.path).get(BASE_SHA256_KEY)
    if made_for not in (None, base_sha256, _quantised_from(base, base_sha256)):
        raise ModelUnavailable(
            Text(
                "The adapter %(adapter)s was made for weights with the SHA-256 %(made_for)s, but "
                "%(base)s has %(found)s. Name the right base in the catalog. If this is the "
                "same model in another quantisation, set `any_base = true` for the adapter.",
                adapter=adapter.path,
                made_for=made_for,
                base=base,
                found=base_sha256,
            )
        )
    return found


def _quantised_from(path: Path, sha256: str) -> str | None:
    """The hash of the weights that this file is a re-quantised copy of, if it is one."""
    record = Record.read(path)
    if record is None or record.sha256 != sha256 or record.inputs["adapter_sha256"] is not None:
        return None
    return str(record.inputs["base_sha256"])


def record_served_file(model: str, models_dir: Path, serves: Path | None) -> None:
    """Record which file the model is served from, and remove files that no model needs any more."""
    # In a read-only folder, old files only take space.
    with contextlib.suppress(OSError):
        for path, record in _records(models_dir):
            others = tuple(name for name in record.models if name != model)
            models = (*others, model) if path == serves else others
            if not models:
                for name in (path.name, path.name + ".sha256.json", path.name + SUFFIX):
                    path.with_name(name).unlink(missing_ok=True)
            elif set(models) != set(record.models):
                replace(record, models=models).write(path)


def _records(models_dir: Path) -> Iterator[tuple[Path, Record]]:
    for found in sorted(models_dir.glob("*" + SUFFIX)):
        path = found.with_name(found.name.removesuffix(SUFFIX))
        record = Record.read(path)
        if record is not None:
            yield path, record


def _record_path(path: Path) -> Path:
    return path.with_name(path.name + SUFFIX)
