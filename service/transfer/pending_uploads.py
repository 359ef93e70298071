"""Uploaded files that wait for a person to confirm their import; knows nothing of what is in them."""

import re
import time
from pathlib import Path
from uuid import uuid4

from service.errors import NotFound, StorageUnavailable
from service.messages import Text

LIFE_S = 3600.0
MOST = 20
_TOKEN = re.compile(r"[0-9a-f]{32}")


class PendingUploads:
    """Each for an hour and at most twenty, the oldest go first; they survive a restart."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, content: bytes) -> str:
        """The token by which `read` finds it.

        Raises: StorageUnavailable.
        """
        token = uuid4().hex
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._tidy()
            (self._folder / token).write_bytes(content)
        except OSError as error:
            raise StorageUnavailable(
                Text(
                    "The file cannot be kept in %(folder)s: %(reason)s.",
                    folder=str(self._folder),
                    reason=error.strerror or "",
                )
            ) from error
        return token

    def read(self, token: str) -> bytes:
        """Raises: NotFound, also if it has waited too long."""
        path = self._path(token)
        try:
            if time.time() - path.stat().st_mtime <= LIFE_S:
                return path.read_bytes()
        except FileNotFoundError:
            pass
        raise _gone()

    def drop(self, token: str) -> None:
        self._path(token).unlink(missing_ok=True)

    def _path(self, token: str) -> Path:
        if not _TOKEN.fullmatch(token):
            raise _gone()
        return self._folder / token

    def _tidy(self) -> None:
        files = sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime)
        oldest = time.time() - LIFE_S
        for place, path in enumerate(files):
            if path.stat().st_mtime < oldest or place <= len(files) - MOST:
                path.unlink(missing_ok=True)


def _gone() -> NotFound:
    return NotFound(Text("This file waited too long or was imported already. Choose it again."))
