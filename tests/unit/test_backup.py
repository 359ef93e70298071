import os
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from service.errors import Conflict, InvalidInput, NotFound, StorageUnavailable
from service.schemas.ideas import IdeaCreate
from service.store import Limits, Store
from service.store.backup import back_up, restore
from service.store.database import Database
from service.store.database_lock import database_lock

LIMITS = Limits(200, 8192, 20)


def store_at(path: Path) -> tuple[Database, Store]:
    database = Database(f"sqlite:///{path}")
    database.migrate()
    store = Store(database, LIMITS)
    store.boards.ensure_one()
    return database, store


def fill(path: Path, *titles: str) -> Path:
    database, store = store_at(path)
    for title in titles:
        store.ideas.create(IdeaCreate(title=title))
    database.close()
    return path


def titles(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {title for (title,) in connection.execute("SELECT title FROM idea")}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return fill(tmp_path / "ideapool.db", "old")


@pytest.fixture
def backup(database: Path, tmp_path: Path) -> Path:
    target = tmp_path / "backup.db"
    back_up(database, target)
    fill(database, "new")
    return target


def test_a_backup_taken_during_writes_is_consistent_and_has_every_acknowledged_write(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ideapool.db"
    opened, store = store_at(path)
    first, enough = threading.Event(), threading.Event()

    def write() -> None:
        number = 0
        while not enough.is_set():
            store.ideas.create(IdeaCreate(title=f"idea {number}"))
            number += 1
            first.set()

    writer = threading.Thread(target=write)
    writer.start()
    first.wait(10)
    back_up(path, tmp_path / "backup.db")
    enough.set()
    writer.join()
    opened.close()

    found = titles(tmp_path / "backup.db")
    with closing(sqlite3.connect(tmp_path / "backup.db")) as copy:
        counts = copy.execute(
            "SELECT (SELECT count(*) FROM idea), (SELECT count(*) FROM idea_version)"
        ).fetchone()
    assert found == {f"idea {number}" for number in range(len(found))} != set()
    assert counts[0] == counts[1]


def test_a_backup_is_one_file(backup: Path) -> None:
    assert sorted(path.name for path in backup.parent.iterdir()) == ["backup.db", "ideapool.db"]
    with closing(sqlite3.connect(backup)) as copy:
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_an_existing_file_is_replaced_only_on_request(database: Path, backup: Path) -> None:
    with pytest.raises(Conflict):
        back_up(database, backup)
    assert titles(backup) == {"old"}

    back_up(database, backup, replace=True)

    assert titles(backup) == {"old", "new"}


def test_a_backup_cannot_overwrite_its_own_database(database: Path) -> None:
    with pytest.raises(Conflict):
        back_up(database, database, replace=True)
    with pytest.raises(Conflict):
        restore(database, database)


def test_a_missing_file_cannot_be_backed_up_or_restored(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        back_up(tmp_path / "none.db", tmp_path / "backup.db")
    with pytest.raises(NotFound):
        restore(tmp_path / "none.db", tmp_path / "ideapool.db")

    assert list(tmp_path.iterdir()) == []


def test_a_backup_that_cannot_be_written_raises_storage_unavailable(
    database: Path, tmp_path: Path
) -> None:
    with pytest.raises(StorageUnavailable, match="cannot be written"):
        back_up(database, tmp_path / "no" / "such" / "backup.db")


def test_a_restored_database_is_served_and_the_replaced_one_is_kept(
    database: Path, backup: Path
) -> None:
    kept = restore(backup, database)

    opened, store = store_at(database)
    assert [text[1] for text in store.ideas.texts(store.boards.default().id)] == ["old"]
    opened.close()
    assert kept is not None
    assert kept.parent == database.parent
    assert titles(kept) == {"old", "new"}


def test_a_restore_works_where_there_is_no_database_yet(backup: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "ideapool.db"

    assert restore(backup, target) is None
    assert titles(target) == {"old"}


def test_two_restores_within_a_second_keep_both_replaced_databases(
    database: Path, backup: Path
) -> None:
    kept = {restore(backup, database) for _ in range(3)}

    assert len(kept) == 3


def test_a_database_in_use_is_not_replaced(database: Path, backup: Path) -> None:
    opened, _ = store_at(database)

    with pytest.raises(Conflict, match="Stop the server"):
        restore(backup, database)

    opened.close()
    assert titles(database) == {"old", "new"}
    assert sorted(path.name for path in database.parent.iterdir()) == [
        "backup.db",
        "ideapool.db",
        "ideapool.db.lock",
    ]


def test_a_database_that_a_server_has_locked_is_not_replaced(database: Path, backup: Path) -> None:
    with database_lock(database), pytest.raises(Conflict, match="in use by process"):
        restore(backup, database)

    assert titles(database) == {"old", "new"}


def test_restoring_a_copy_includes_the_writes_in_its_log(database: Path, tmp_path: Path) -> None:
    opened, store = store_at(tmp_path / "live.db")
    store.ideas.create(IdeaCreate(title="in the log"))
    for ending in ("", "-wal"):
        shutil.copy(tmp_path / f"live.db{ending}", tmp_path / f"copied.db{ending}")
    opened.close()

    restore(tmp_path / "copied.db", database)

    assert titles(database) == {"in the log"}


def test_the_log_of_a_killed_server_is_kept_with_the_replaced_database(
    database: Path, backup: Path, tmp_path: Path
) -> None:
    opened, store = store_at(tmp_path / "live.db")
    store.ideas.create(IdeaCreate(title="in the log"))
    for ending in ("", "-wal"):
        shutil.copy(tmp_path / f"live.db{ending}", f"{database}{ending}")
    opened.close()

    kept = restore(backup, database)

    assert titles(database) == {"old"}
    assert kept is not None
    assert titles(kept) == {"in the log"}


def test_a_damaged_database_can_be_replaced_and_is_kept_unchanged(
    database: Path, backup: Path
) -> None:
    damaged = b"x" * 5000
    database.write_bytes(damaged)

    kept = restore(backup, database)

    assert titles(database) == {"old"}
    assert kept is not None
    assert kept.read_bytes() == damaged


def of_another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE board (id)")


def of_the_future(path: Path) -> None:
    fill(path)
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")


def cut_off(path: Path) -> None:
    fill(path, *(f"idea {number}" for number in range(50)))
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.write_bytes(b""), "not a database of Ideapool"),
        (lambda path: path.write_bytes(b"# Markdown\n" * 1000), "not a SQLite database"),
        (of_another_program, "not a database of Ideapool"),
        (of_the_future, "9999.*newer"),
        (cut_off, "damaged"),
    ],
    ids=["empty", "text", "another-program", "future", "cut-off"],
)
def test_only_an_intact_database_of_a_known_migration_is_restored(
    database: Path, tmp_path: Path, make: object, says: str
) -> None:
    source = tmp_path / "source.db"
    make(source)  # type: ignore[operator]

    with pytest.raises(InvalidInput, match=says):
        restore(source, database)

    assert titles(database) == {"old"}


def test_a_backup_is_for_its_user_alone(database: Path, tmp_path: Path) -> None:
    back_up(database, tmp_path / "backup.db")

    assert (tmp_path / "backup.db").stat().st_mode & 0o777 == 0o600


def test_a_restore_leaves_a_link_to_the_database_as_it_is(
    database: Path, backup: Path, tmp_path: Path
) -> None:
    link = tmp_path / "elsewhere" / "ideapool.db"
    link.parent.mkdir()
    link.symlink_to(database)

    restore(backup, link)

    assert link.is_symlink()
    assert titles(database) == {"old"}
