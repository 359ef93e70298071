import os
import time
from pathlib import Path

import pytest

from service.errors import NotFound, StorageUnavailable
from service.transfer.pending_uploads import LIFE_S, MOST, UploadFolder


@pytest.fixture
def files(tmp_path: Path) -> UploadFolder:
    return UploadFolder(tmp_path / "imports")


def test_a_file_is_found_by_its_token_until_it_is_dropped(files: UploadFolder) -> None:
    token = files.keep(b"ideas")

    assert files.read(token) == b"ideas"
    files.drop(token)
    files.drop(token)
    with pytest.raises(NotFound, match="Choose the file again"):
        files.read(token)


@pytest.mark.parametrize("token", ["", "../ideapool.db", "0" * 31, "G" * 32, "/etc/passwd"])
def test_an_invalid_token_finds_no_file(files: UploadFolder, token: str) -> None:
    files.keep(b"ideas")

    with pytest.raises(NotFound):
        files.read(token)


def test_a_file_is_kept_for_an_hour(files: UploadFolder, tmp_path: Path) -> None:
    token = files.keep(b"ideas")
    past = time.time() - LIFE_S - 1
    os.utime(tmp_path / "imports" / token, (past, past))

    with pytest.raises(NotFound):
        files.read(token)
    files.keep(b"others")
    assert len(list((tmp_path / "imports").iterdir())) == 1


def test_the_oldest_files_are_deleted_first(files: UploadFolder, tmp_path: Path) -> None:
    for number in range(MOST + 5):
        token = files.keep(b"ideas")
        moment = time.time() - 100 + number
        os.utime(tmp_path / "imports" / token, (moment, moment))

    assert len(list((tmp_path / "imports").iterdir())) == MOST
    assert files.read(token) == b"ideas"


def test_an_unwritable_folder_raises_storage_unavailable(tmp_path: Path) -> None:
    (tmp_path / "imports").write_text("")

    with pytest.raises(StorageUnavailable, match="cannot be kept"):
        UploadFolder(tmp_path / "imports").keep(b"ideas")
