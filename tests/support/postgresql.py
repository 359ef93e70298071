"""A PostgreSQL server of the tests' own: in a temporary folder, on a socket, without waiting for disks."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from service.store.database import Database

USER = "ideapool"
START_S = 120
OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "100",
    "autovacuum": "off",
}
# Of another test nothing may be left, not even a connection.
_EMPTY = """
DO $$
DECLARE name text;
BEGIN
  PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
  SET LOCAL session_replication_role = replica;
  FOR name IN SELECT tablename FROM pg_tables
    WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
    EXECUTE format('DELETE FROM %I', name);
  END LOOP;
  FOR name IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' LOOP
    EXECUTE format('ALTER SEQUENCE %I RESTART', name);
  END LOOP;
END $$
"""


class PostgresServer:
    """Debian's package has the programs; a server of the machine itself is left alone."""

    def __init__(self, options: Mapping[str, str] = OPTIONS) -> None:
        self._options = options
        self.folder = Path(tempfile.mkdtemp(prefix="ideapool-pg-"))
        self._programs = _programs()
        # PostgreSQL refuses to run as root.
        self._account = _account() if os.geteuid() == 0 else None
        if self._account is not None:
            os.chown(self.folder, self._account.pw_uid, self._account.pw_gid)
        self._process: subprocess.Popen[bytes] | None = None
        # In a language, to show that nothing depends on the order of its letters.
        language = ("--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en")
        access = ("--username", USER, "--auth=trust", "--encoding=UTF8", "--no-sync")
        self._run("initdb", "--pgdata", str(self._data), *access, *language).check_returncode()

    @classmethod
    @contextmanager
    def running(cls, options: Mapping[str, str] = OPTIONS) -> Iterator["PostgresServer"]:
        """One that is removed at the end of the block."""
        server = cls(options)
        try:
            server.start()
            yield server
        finally:
            server.remove()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        settings = {**self._options, "unix_socket_directories": str(self.folder)}
        given = [one for name, value in settings.items() for one in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self._data), *given],
                stdout=log,
                stderr=log,
                # Its own group, so that Ctrl-C in the terminal ends the tests first.
                start_new_session=True,
                **self._as_user(),
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "PostgreSQL did not start"
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            # The fast way: connections are ended.
            self._process.send_signal(signal.SIGINT)
            self._process.wait(START_S)
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@/{database}?host={self.folder}"

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """The URL of a new database, which is dropped at the end of the block."""
        name = f"test_{uuid4().hex}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def emptied(self, name: str) -> Iterator[str]:
        """The URL of a database that one test after another uses: a new one takes five times as long."""
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            connection.execute(_EMPTY)
        yield self.url(name)

    def make_template(self, name: str) -> None:
        """A database with all tables, as a first start leaves them."""
        self._execute(f"CREATE DATABASE {name}")
        database = Database(self.url(name))
        database.migrate()
        database.close()

    def _execute(self, command: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(command.encode())

    def _answers(self) -> bool:
        try:
            self._execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = [str(self._programs / program), *arguments]
        return subprocess.run(command, stdout=subprocess.DEVNULL, **self._as_user())

    def _as_user(self) -> dict[str, Any]:
        # The tests' own folder may be closed to that user.
        place: dict[str, Any] = {"cwd": self.folder}
        if self._account is None:
            return place
        one = self._account
        return place | {"user": one.pw_uid, "group": one.pw_gid, "extra_groups": []}


def _programs() -> Path:
    """Those of the newest version that is installed."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: float(one.parts[-3])
    )
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        pytest.fail(
            "These tests need PostgreSQL: apt-get install postgresql (`make test` does it as root)",
            pytrace=False,
        )
    return Path(on_path).parent


def _account() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise AssertionError("PostgreSQL does not run as root, and there is no other user")
