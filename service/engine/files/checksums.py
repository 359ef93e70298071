"""SHA-256 of model files: computed once, saved beside the file, compared with the catalog."""

import contextlib
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

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
    """The file's hash, from the saved one if the file's size and time have not changed since."""
    stamp = _stamp(path)
    with contextlib.suppress(OSError, ValueError, LookupError, AttributeError):
        note = json.loads(_sidecar(path).read_text(encoding="utf-8"))
        if {key: note.get(key) for key in stamp} == stamp and isinstance(note["sha256"], str):
            return str(note["sha256"])
    found = sha256_of(path, on_bytes)
    remember_sha256(path, found, stamp)
    return found


def remember_sha256(path: Path, found: str, stamp: dict[str, int] | None = None) -> None:
    """Save a hash beside its file; `stamp` is the file's size and time before it was read."""
    note = {**(stamp or _stamp(path)), "sha256": found}
    # In a read-only folder the file is hashed again at the next start.
    with contextlib.suppress(OSError):
        write_whole(_sidecar(path), json.dumps(note))


def _stamp(path: Path) -> dict[str, int]:
    stat = path.stat()
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".sha256.json")


def verified_sha256(path: Path, expected: str | None, *, advice: str = FETCH_ADVICE) -> str:
    """The file's hash, after comparing it with `expected` if that is given.

    Raises:
        ModelUnavailable: names the file, what is wrong with it and what to do.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(len(GGUF_MAGIC))
        found = known_sha256(path)
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
