"""Uploaded files that wait until a person confirms their import. It does not read their content."""

import re
import time
from datetime import timedelta
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from service.errors import NotFound, StorageUnavailable
from service.messages import Text
from service.store.private_files import private_file, private_folder
from service.store.uploads import UploadStore

LIFE_S = 3600.0
MOST = 20
_TOKEN = re.compile(r"[0-9a-f]{32}")


class PendingUploads(Protocol):
    """Keeps at most 20 files, each for an hour. The oldest are deleted first; a restart keeps them."""

    def keep(self, content: bytes) -> str:
        """Stores a file and returns the token for `read`.

        Raises:
            StorageUnavailable: the file cannot be written.
        """

    def read(self, token: str) -> bytes:
        """Returns the content of the file.

        Raises:
            NotFound: the token is unknown, or the file is older than an hour.
        """

    def drop(self, token: str) -> None: ...


class UploadFolder:
    """Files in a folder, for a server that has its database to itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, content: bytes) -> str:
        token = uuid4().hex
        try:
            private_folder(self._folder)
            self._delete_old()
            private_file(self._folder / token)
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
        path = self._path(token)
        try:
            if time.time() - path.stat().st_mtime <= LIFE_S:
                return path.read_bytes()
        except FileNotFoundError:
            pass
        raise _missing()

    def drop(self, token: str) -> None:
        self._path(token).unlink(missing_ok=True)

    def _path(self, token: str) -> Path:
        return self._folder / _checked(token)

    def _delete_old(self) -> None:
        files = sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime)
        oldest = time.time() - LIFE_S
        for place, path in enumerate(files):
            if path.stat().st_mtime < oldest or place <= len(files) - MOST:
                path.unlink(missing_ok=True)


class StoredUploads:
    """Files in the database, so that a file may be imported at another server than it was sent to."""

    def __init__(self, store: UploadStore) -> None:
        self._store = store

    def keep(self, content: bytes) -> str:
        token = uuid4().hex
        self._store.keep(token, content, life=timedelta(seconds=LIFE_S), most=MOST)
        return token

    def read(self, token: str) -> bytes:
        content = self._store.read(_checked(token), life=timedelta(seconds=LIFE_S))
        if content is None:
            raise _missing()
        return content

    def drop(self, token: str) -> None:
        self._store.drop(_checked(token))


def _checked(token: str) -> str:
    if not _TOKEN.fullmatch(token):
        raise _missing()
    return token


def _missing() -> NotFound:
    return NotFound(Text("This upload has expired or was already imported. Choose the file again."))
