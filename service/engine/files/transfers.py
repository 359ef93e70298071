"""Downloads one file over HTTP, and goes on where it broke off."""

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import httpx2

from service.engine.files.atomic_write import write_whole
from service.errors import ModelUnavailable

ATTEMPTS = 5
PAUSE_S = 0.5
SILENCE_S = 30


class Journal:
    """What a growing file has for certain: so many units of a source, and the bytes of these."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._path = file.with_name(file.name + ".json")

    @property
    def source(self) -> str | None:
        """Where the file was begun from; None if it was not."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return str(json.loads(self._path.read_text(encoding="utf-8"))["source"])
        return None

    def resume(self, source: str) -> tuple[int, int]:
        """Units and bytes of `source`. The rest of the file is cut off."""
        units, size = 0, 0
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            note = json.loads(self._path.read_text(encoding="utf-8"))
            if note["source"] == source and self._file.stat().st_size >= int(note["bytes"]):
                units, size = int(note["units"]), int(note["bytes"])
        with self._file.open("ab") as file:
            file.truncate(size)
        return units, size

    def note(self, source: str, units: int, size: int) -> None:
        note = {"source": source, "units": units, "bytes": size}
        write_whole(self._path, json.dumps(note))

    def delete(self) -> None:
        self._path.unlink(missing_ok=True)


def transfer(
    http: httpx2.Client, url: str, file: Path, report: Callable[[int], None], *, size: int | None
) -> None:
    """Appends to what `file` has of `url`. `report` is told the bytes so far.

    Raises: ModelUnavailable if the server refuses, or the connection breaks off again and again.
    """
    problem = ""
    for attempt in range(ATTEMPTS):
        time.sleep(min(attempt, 5) * PAUSE_S)
        try:
            _go_on(http, url, file, report, size)
        except httpx2.HTTPStatusError as error:
            code = error.response.status_code
            problem = f"{shown(url)} answered {code}."
            if code < 500 and code != 429:
                break
        except httpx2.HTTPError as error:
            problem = f"{shown(url)} broke off: {str(error) or type(error).__name__}."
        else:
            return
    raise ModelUnavailable(problem)


def _go_on(
    http: httpx2.Client, url: str, file: Path, report: Callable[[int], None], size: int | None
) -> None:
    journal = Journal(file)
    _, have = journal.resume(url)
    if have and have == size:
        return
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with (
        file.open("ab") as part,
        http.stream(
            "GET", url, headers=headers, follow_redirects=True, timeout=SILENCE_S
        ) as answer,
    ):
        answer.raise_for_status()
        if answer.status_code != httpx2.codes.PARTIAL_CONTENT:
            part.truncate(0)
        try:
            for chunk in answer.iter_bytes():
                part.write(chunk)
                report(part.tell())
        finally:
            part.flush()
            journal.note(url, 0, part.tell())


def shown(url: str) -> str:
    """For messages: without password and query, which may hold a signature."""
    return str(httpx2.URL(url).copy_with(username=None, password=None, query=None))
