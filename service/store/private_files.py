"""Files and folders that only the user of the server may read. What is there keeps its rights."""

import os
from pathlib import Path

PRIVATE, PRIVATE_FOLDER = 0o600, 0o700


def private_folder(path: Path) -> None:
    """Makes the folder unless it is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def private_file(path: Path) -> None:
    """Makes an empty file unless it is there; who then writes into it leaves its rights alone."""
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, PRIVATE))
