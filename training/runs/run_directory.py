"""The directory of one run: the paths of its files, and how they are read and written."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from service.engine.files.atomic_write import write_whole
from training.errors import TrainingError

Status = Literal["running", "finished", "failed", "pruned"]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a run was made from. `data_sha256` maps each split to the hash of its rows."""

    name: str
    status: Status
    started_at: str
    finished_at: str | None = None
    base_sha256: str | None = None
    data_sha256: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()


_MANIFEST = TypeAdapter(Manifest)


@dataclass(frozen=True, slots=True)
class RunDirectory:
    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.toml"

    @property
    def manifest(self) -> Path:
        return self.path / "manifest.json"

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def metrics_jsonl(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def metrics_csv(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def curves(self) -> Path:
        return self.path / "curves.png"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def adapter(self) -> Path:
        """A folder in PEFT's format."""
        return self.path / "adapter"

    @property
    def adapter_mtime(self) -> float:
        """When the adapter was written, in seconds since the epoch; 0 without an adapter."""
        return max((one.stat().st_mtime for one in self.adapter.glob("*")), default=0.0)

    @property
    def result(self) -> Path:
        return self.path / "result.json"

    @property
    def test_nll(self) -> Path:
        """Maps the id of each test row to the NLL of base and tuned model, in nats, and its tokens."""
        return self.path / "test-nll.json"

    @property
    def export(self) -> Path:
        return self.path / "export"

    @property
    def parity(self) -> Path:
        """How the exported files compare with what was trained."""
        return self.export / "parity.json"

    @property
    def evaluation(self) -> Path:
        """A folder with the blind pages, their keys and every answer."""
        return self.path / "evaluation"

    @property
    def evaluated_with(self) -> Path:
        """The config of the evaluation; without training, the only config in the directory."""
        return self.evaluation / "config.toml"

    @property
    def evaluation_json(self) -> Path:
        return self.path / "evaluation.json"

    @property
    def evaluation_md(self) -> Path:
        return self.path / "evaluation.md"

    @property
    def report(self) -> Path:
        return self.path / "REPORT.md"

    def rows(self, split: str) -> Path:
        """`split` is train, validation or test."""
        return self.data / f"{split}.jsonl"

    def create(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)

    def read_manifest(self) -> Manifest | None:
        """None before the run has begun. Raises `TrainingError` if it cannot be read."""
        if not self.manifest.exists():
            return None
        try:
            return _MANIFEST.validate_json(self.manifest.read_bytes())
        except ValidationError as error:
            raise TrainingError(
                f"{self.manifest} is not a valid manifest. Move the run directory away and start again."
            ) from error

    def write_manifest(self, manifest: Manifest) -> None:
        self.write_text(self.manifest, _MANIFEST.dump_json(manifest, indent=2).decode() + "\n")

    def read_json(self, path: Path) -> Any:
        """Raises `TrainingError` if the file is missing or not JSON."""
        try:
            return json.loads(path.read_bytes())
        except OSError as error:
            raise TrainingError(f"Cannot read {path}: {error.strerror}.") from error
        except ValueError as error:
            raise TrainingError(f"{path} is not JSON: {error}.") from error

    def write_json(self, path: Path, value: Mapping[str, Any]) -> None:
        self.write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def write_text(self, path: Path, text: str) -> None:
        """Replaces the file atomically."""
        write_whole(path, text)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
