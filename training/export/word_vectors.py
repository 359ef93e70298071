"""Makes the word vectors that the service compares ideas with.

They come from the wheel of WordLlama (MIT), which is neither installed nor imported. Of its 32,000
word pieces, those that can occur in a case-folded word are kept, with four bits per number.
"""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.analysis.word_vectors import LARGEST, WORD_START
from training.export.wheel_files import WheelFile, fetch_files, read_safetensors

REQUIREMENT = "wordllama==0.4.0.post1"
WEIGHTS = WheelFile(
    "wordllama/weights/l2_supercat_256.safetensors",
    "64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5",
)
TOKENIZER = WheelFile(
    "wordllama/tokenizers/l2_supercat_tokenizer_config.json",
    "93248f2a9ec36c7b35f700a033d5f36228aae48db61aee31007fa49062cdeb68",
)


def make_word_vectors(target: Path, report: Callable[[str], None]) -> None:
    """Writes the same bytes every time."""
    weights, tokenizer = fetch_files(REQUIREMENT, WEIGHTS, TOKENIZER)
    pieces = _usable(json.loads(tokenizer)["model"]["vocab"])
    (tensor,) = read_safetensors(weights).values()
    vectors = tensor[list(pieces.values())]
    packed, scale = _packed(vectors)
    text = np.frombuffer("\n".join(pieces).encode(), np.uint8)
    with target.open("wb") as file:
        np.savez(file, pieces=text, packed=packed, scale=scale)
    digest = sha256(target.read_bytes()).hexdigest()
    report(f"{target}: {len(pieces)} pieces, {target.stat().st_size} bytes, SHA-256 {digest}")


def _usable(vocabulary: dict[str, int]) -> dict[str, int]:
    """The pieces that a case-folded word can consist of, the most frequent first."""
    return {
        piece: row
        for piece, row in sorted(vocabulary.items(), key=lambda item: item[1])
        if piece.removeprefix(WORD_START).isalnum() and piece == piece.casefold()
    }


def _packed(vectors: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    scale = (np.where(largest > 0, largest, 1) / LARGEST).astype(np.float16)
    steps = np.clip(np.rint(vectors / scale.astype(np.float32)), -LARGEST, LARGEST)
    shifted = (steps + LARGEST).astype(np.uint8)
    return np.bitwise_or(shifted[:, 0::2] << 4, shifted[:, 1::2], dtype=np.uint8), scale[:, 0]
