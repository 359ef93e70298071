import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.errors import Conflict, StorageUnavailable
from service.settings import PROJECT_ROOT
from service.store.database_lock import database_lock, lock_holder, lock_path

HOLD = (
    "import sys; from pathlib import Path; from service.store.database_lock import database_lock\n"
    "with database_lock(Path(sys.argv[2])): print('held', flush=True); sys.stdin.read()"
)


@contextmanager
def holding(database: Path) -> Iterator[subprocess.Popen[str]]:
    """Starts another process that has the database locked."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, "serve", str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT_ROOT,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "ideapool.db"


def test_a_second_process_is_refused_with_the_first_ones_id(database: Path) -> None:
    with holding(database) as first:
        with pytest.raises(Conflict) as refused, database_lock(database):
            pass

        assert f"in use by process {first.pid} (`" in refused.value.detail
        assert "serve`)" in refused.value.detail
        assert lock_holder(database) == f"process {first.pid} (`-c serve`)"


def test_a_link_to_the_database_leads_to_the_same_lock(database: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(database)

    with holding(database) as first:
        assert lock_holder(link) == f"process {first.pid} (`-c serve`)"
        with pytest.raises(Conflict, match=f"in use by process {first.pid}"), database_lock(link):
            pass


def test_a_killed_process_releases_the_lock(database: Path) -> None:
    with holding(database) as first:
        first.send_signal(signal.SIGKILL)
        first.wait()

    with database_lock(database):
        assert lock_path(database).read_text().startswith(f"{os.getpid()} ")
    assert lock_holder(database) is None


def test_a_leftover_lock_file_that_names_a_running_process_locks_nothing(database: Path) -> None:
    database.parent.mkdir()
    lock_path(database).write_text(f"{os.getppid()} ideapool serve\n")

    assert lock_holder(database) is None
    with database_lock(database):
        pass


def test_two_apps_of_a_process_can_use_the_database_in_turn_but_not_together(
    database: Path,
) -> None:
    with database_lock(database), pytest.raises(Conflict), database_lock(database):
        pass
    with database_lock(database):
        pass


def test_a_database_that_is_not_a_file_is_not_locked() -> None:
    with database_lock(None), database_lock(None):
        pass


def test_an_unwritable_folder_raises_storage_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with (
        pytest.raises(StorageUnavailable, match="writable"),
        database_lock(tmp_path / "file" / "x.db"),
    ):
        pass


def test_a_file_system_without_locks_is_used_with_a_warning(
    database: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_file: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)

    with database_lock(database):
        assert "without locks" in caplog.text
