"""Score heads: linear functions from a model's own embedding of an idea to its scores.

A head is bound to the identity of the model that it was fitted to. It comes with the catalog, or it was
calibrated here and lies in the data folder under that identity.
"""

import contextlib
import json
import logging
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.files.atomic_write import replacing
from service.engine.types import ModelInfo
from service.errors import ModelUnavailable
from service.messages import Text

LOWEST, HIGHEST = 1.0, 10.0
Vector = NDArray[np.float32]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ScoreHead:
    """score = bias + weights · (embedding - mean) / scale, for each criterion.

    Shapes: `mean` and `scale` (embedding,), `weights` (criteria, embedding), `bias` (criteria,).
    `identity` is that of the model it was fitted to. `errors` has the mean error by criterion on
    ideas that were left out of the fit, if the file of figures beside the head has it.
    """

    identity: str
    criteria: tuple[str, ...]
    mean: Vector
    scale: Vector
    weights: Vector
    bias: Vector
    errors: dict[str, float] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "ScoreHead":
        """Raises: ModelUnavailable if the file is missing or is not a score head."""
        try:
            with path.open("rb") as content, np.load(content, allow_pickle=False) as file:
                head = cls(
                    identity=str(file["identity"]),
                    criteria=tuple(str(name) for name in file["criteria"]),
                    mean=file["mean"],
                    scale=file["scale"],
                    weights=file["weights"],
                    bias=file["bias"],
                )
            return replace(head, errors=_errors(path.with_suffix(".json"), head))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ModelUnavailable(
                Text(
                    "The score head %(path)s cannot be read (%(error)s). Restore the file. To score "
                    "without it, take `score_head` out of the catalog, or delete the file if "
                    "`ideapool calibrate` made it.",
                    path=path,
                    error=error,
                )
            ) from error

    def save(self, path: Path) -> None:
        with path.open("wb") as file:
            np.savez(
                file,
                identity=np.array(self.identity),
                criteria=np.array(self.criteria),
                mean=self.mean,
                scale=self.scale,
                weights=self.weights,
                bias=self.bias,
            )

    def only(self, criteria: Sequence[str]) -> "ScoreHead":
        """The head for some of its criteria."""
        rows = [self.criteria.index(name) for name in criteria]
        return replace(
            self, criteria=tuple(criteria), weights=self.weights[rows], bias=self.bias[rows]
        )

    def scores(self, vector: Sequence[float]) -> dict[str, float]:
        """Raises: ModelUnavailable if the sizes of embedding and head differ."""
        if len(vector) != len(self.mean):
            raise ModelUnavailable(
                Text(
                    "The score head belongs to another model: it expects %(count)s numbers, and this "
                    "model gives %(given)s.",
                    count=len(self.mean),
                    given=len(vector),
                )
            )
        standardised = (np.asarray(vector, dtype=np.float32) - self.mean) / self.scale
        raw = self.bias + self.weights @ standardised
        return {name: rounded(float(value)) for name, value in zip(self.criteria, raw, strict=True)}


class ScoreHeads:
    """Finds the head of a model; a new one is found without a restart.

    `folder` has the calibrated heads, each as `<identity>.npz` with its figures as `<identity>.json`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._loaded: dict[Path, tuple[tuple[int, int], ScoreHead]] = {}
        self._warned: set[tuple[str, str]] = set()

    def may_have(self, model: ModelInfo) -> bool:
        """Whether there can be a head for the model, as far as that is known before its identity."""
        if model.identity is None:
            return False
        return model.score_head is not None or any(self._files(".npz"))

    def of(self, model: ModelInfo) -> ScoreHead | None:
        """The catalog's head if it was fitted to this model, else a calibrated one, else None.

        Raises: ModelUnavailable if the file of the head cannot be read.
        """
        return self.of_catalog(model) or self.calibrated(model)

    def of_catalog(self, model: ModelInfo) -> ScoreHead | None:
        """Raises: ModelUnavailable if the file cannot be read."""
        if model.score_head is None:
            return None
        head = self._read(Path(model.score_head))
        if head.identity == model.identity:
            return head
        if (seen := (model.score_head, model.identity or "")) not in self._warned:
            self._warned.add(seen)
            _log.warning(
                "The score head %s was made for other weights than those of %s and is not used.",
                model.score_head,
                model.name,
            )
        return None

    def calibrated(self, model: ModelInfo) -> ScoreHead | None:
        """Raises: ModelUnavailable if the file cannot be read."""
        path = self._path(model)
        if path is None or not path.exists():
            return None
        head = self._read(path)
        return head if head.identity == model.identity else None

    def figures(self, model: ModelInfo) -> dict[str, Any] | None:
        """What was measured when the head of exactly this model was calibrated."""
        path = self._path(model)
        return None if path is None or not path.exists() else _json(path.with_suffix(".json"))

    def is_for_other_weights(self, model: ModelInfo) -> bool:
        """Whether a head was calibrated for a model of this name with other weights."""
        return any(
            path.stem != model.identity and (_json(path) or {}).get("model") == model.name
            for path in self._files(".json")
        )

    def keep(self, head: ScoreHead, figures: str) -> None:
        """Stores a calibrated head and its figures, a JSON object; never half of a file.

        Raises: OSError.
        """
        assert self.folder is not None
        path = self.folder / f"{head.identity}.npz"
        # The head last: figures alone count for nothing.
        with replacing(path.with_suffix(".json")) as draft:
            draft.write_text(figures, encoding="utf-8")
        with replacing(path) as draft:
            head.save(draft)

    def remove(self, model: ModelInfo) -> bool:
        """Deletes the calibrated heads of the model, also of its former weights; False if it has none."""
        stems = {
            path.stem
            for path in self._files(".json")
            if (_json(path) or {}).get("model") == model.name
        }
        paths = [path for path in self._files(".npz") if path.stem in stems | {model.identity}]
        for path in paths:
            path.unlink(missing_ok=True)
            path.with_suffix(".json").unlink(missing_ok=True)
        return bool(paths)

    def _path(self, model: ModelInfo) -> Path | None:
        if self.folder is None or not model.identity:
            return None
        return self.folder / f"{model.identity}.npz"

    def _files(self, suffix: str) -> Iterator[Path]:
        if self.folder is not None:
            yield from self.folder.glob(f"[!.]*{suffix}")

    def _read(self, path: Path) -> ScoreHead:
        """The head; read again once the file has changed."""
        try:
            stat = path.stat()
        except OSError:
            # Without the file, loading says what is wrong.
            return ScoreHead.load(path)
        stamp = (stat.st_mtime_ns, stat.st_size)
        known = self._loaded.get(path)
        if known is None or known[0] != stamp:
            known = self._loaded[path] = stamp, ScoreHead.load(path)
        return known[1]


def rounded(score: float) -> float:
    """The score as it is shown: within its range, with one decimal."""
    return round(min(max(score, LOWEST), HIGHEST), 1)


def _errors(path: Path, head: ScoreHead) -> dict[str, float]:
    """The errors measured in training, if their file is beside the head and of the same model."""
    if not path.exists():
        return {}
    figures = json.loads(path.read_text(encoding="utf-8"))
    if figures.get("identity") != head.identity:
        return {}
    errors = figures.get("agreement", {}).get("error", {})
    return {name: round(float(value), 2) for name, value in errors.items()}


def _json(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file of figures; None if there is none."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else None
    return None
