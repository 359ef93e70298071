"""The saved hash of a model file is that of the file as it is now."""

import os
from pathlib import Path

import pytest

from service.engine.catalog import CatalogModel
from service.engine.files.build import prepare_files, verify_files
from service.engine.files.checksums import CHUNK_BYTES, known_sha256, sha256_of
from service.errors import ModelUnavailable

CONTENT = b"GGUF and the weights of a model"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(CONTENT)
    return path


def flip_a_bit(path: Path) -> None:
    """As whoever hides it: the size and the time of the content stay the same."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)[0]
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_flipped_bit_is_found_before_the_file_is_served(weights: Path) -> None:
    model = CatalogModel("one", ("general",), path=weights, sha256=sha256_of(weights))
    assert prepare_files(model, weights.parent, lambda _: None).sha256 == model.sha256

    flip_a_bit(weights)

    with pytest.raises(ModelUnavailable, match="is corrupt"):
        prepare_files(model, weights.parent, lambda _: None)


def test_the_recorded_hash_is_that_of_the_file_as_it_is(weights: Path) -> None:
    model = CatalogModel("one", ("general",), path=weights)
    first = prepare_files(model, weights.parent, lambda _: None).sha256

    flip_a_bit(weights)

    assert (
        prepare_files(model, weights.parent, lambda _: None).sha256 == sha256_of(weights) != first
    )


def test_verification_reads_every_byte_whatever_is_saved(weights: Path) -> None:
    """A disk that forgets a bit changes neither the times nor the saved hash."""
    model = CatalogModel("one", ("general",), path=weights, sha256=sha256_of(weights))
    known_sha256(weights)
    note = weights.with_name("model.gguf.sha256.json")
    flip_a_bit(weights)
    saved = note.read_text()
    was, now = (f'"ctime_ns": {one}' for one in (_ctime(saved), weights.stat().st_ctime_ns))
    note.write_text(saved.replace(was, now))
    assert known_sha256(weights) == model.sha256

    with pytest.raises(ModelUnavailable, match="is corrupt"):
        list(verify_files(model, weights.parent))
    assert known_sha256(weights) == sha256_of(weights)


def test_a_file_that_nobody_wrote_to_is_read_once(weights: Path) -> None:
    weights.write_bytes(CONTENT + bytes(CHUNK_BYTES))
    read: list[int] = []

    first = known_sha256(weights, read.append)
    again = known_sha256(weights, read.append)

    assert first == again
    assert len(read) == 2


def _ctime(saved: str) -> str:
    return saved.split('"ctime_ns": ')[1].split(",")[0].rstrip("}")
