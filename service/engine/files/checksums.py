"""SHA-256 of model files: computed once, saved beside the file, compared with the catalog."""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from service.engine.files.atomic_write import write_whole
from service.errors import ModelUnavailable
from service.messages import Text

CHUNK_BYTES = 4 * 1024 * 1024
GGUF_MAGIC = b"GGUF"
FETCH_ADVICE = Text("Run `ideapool models fetch` to fetch it again.")
PATH_ADVICE = Text("Correct the catalog, or put the right file there.")


def sha256_of(path: Path, on_bytes: Callable[[int], None] | None = None) -> str:
    """Hash a file; `on_bytes` is called with the number of bytes done so far."""
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            if on_bytes is not None:
                on_bytes(done)
    return digest.hexdigest()


def known_sha256(path: Path, on_bytes: Callable[[int], None] | None = None) -> str:
    """The file's hash, from the saved one if nobody has written to the file since.

    Whoever writes can set the time of the content back, but not the time of the change. What a disk
    gets wrong by itself, only `fresh_sha256` finds.
    """
    stamp = _stamp(path)
    with contextlib.suppress(OSError, ValueError, LookupError, AttributeError):
        note = json.loads(_sidecar(path).read_text(encoding="utf-8"))
        if _is_of(note, stamp, path) and isinstance(note["sha256"], str):
            return str(note["sha256"])
    return fresh_sha256(path, on_bytes)


def fresh_sha256(path: Path, on_bytes: Callable[[int], None] | None = None) -> str:
    """The file's hash, from every byte of it; saved for `known_sha256`."""
    stamp = _stamp(path)
    found = sha256_of(path, on_bytes)
    remember_sha256(path, found, stamp)
    return found


def _is_of(note: dict[str, Any], stamp: dict[str, int], path: Path) -> bool:
    ours = dict(stamp)
    if not os.access(path, os.W_OK):
        # A file of an image gets another time of change on each machine, and the server cannot write it.
        del ours["ctime_ns"]
    return {key: note.get(key) for key in ours} == ours


def remember_sha256(path: Path, found: str, stamp: dict[str, int] | None = None) -> None:
    """Save a hash beside its file; `stamp` is the file's size and time before it was read."""
    note = {**(stamp or _stamp(path)), "sha256": found}
    # In a read-only folder the file is hashed again at the next start.
    with contextlib.suppress(OSError):
        write_whole(_sidecar(path), json.dumps(note))


def _stamp(path: Path) -> dict[str, int]:
    stat = path.stat()
    return {
        "size": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
        "ctime_ns": stat.st_ctime_ns,
    }


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".sha256.json")


def verified_sha256(
    path: Path,
    expected: str | None,
    *,
    advice: str = FETCH_ADVICE,
    hashed: Callable[[Path], str] = known_sha256,
) -> str:
    """The file's hash, after comparing it with `expected` if that is given.

    `hashed=fresh_sha256` reads every byte, whatever is saved.

    Raises:
        ModelUnavailable: names the file, what is wrong with it and what to do.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(len(GGUF_MAGIC))
        found = hashed(path)
    except FileNotFoundError as error:
        wanted = f" (expected SHA-256 {expected})" if expected else ""
        raise ModelUnavailable(
            Text(
                "The model file %(path)s is missing%(wanted)s. %(advice)s",
                path=path,
                wanted=wanted,
                advice=advice,
            )
        ) from error
    except OSError as error:
        reason = error.strerror or error
        raise ModelUnavailable(
            Text("The model file %(path)s cannot be read: %(reason)s.", path=path, reason=reason)
        ) from error
    if expected is not None and found != expected:
        raise ModelUnavailable(
            Text(
                "The model file %(path)s is corrupt: its SHA-256 is %(found)s, and %(expected)s "
                "was expected. %(advice)s",
                path=path,
                expected=expected,
                found=found,
                advice=advice,
            )
        )
    if magic != GGUF_MAGIC:
        raise ModelUnavailable(
            Text(
                "The model file %(path)s is not a GGUF file (SHA-256 %(found)s). %(advice)s",
                path=path,
                found=found,
                advice=advice,
            )
        )
    return found
