"""Reads files of models/ that are accepted by their hash only."""

from hashlib import sha256
from io import BytesIO
from pathlib import Path


def read_checked(path: Path, file_sha256: str) -> BytesIO:
    """Raises: OSError if the file cannot be read, ValueError if its hash is another one."""
    content = path.read_bytes()
    if sha256(content).hexdigest() != file_sha256:
        raise ValueError("its SHA-256 is another one")
    return BytesIO(content)
