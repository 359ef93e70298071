"""What every kind of test may use: settings that touch nothing but a temporary folder."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import sqlalchemy
from sqlalchemy import URL, Dialect, Engine

from service.settings import PROJECT_ROOT, Settings
from service.store.database import Database
from service.store.dialects import postgresql as postgresql_dialect
from service.store.dialects import sqlite
from tests.support.postgresql import PostgresServer

DATA = PROJECT_ROOT / "data"
BROWSER = Path(__file__).parent / "browser"
# The same examples each time, and none fails for what else the machine does meanwhile.
hypothesis.settings.register_profile(
    "steady",
    derandomize=True,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("steady")


def pytest_configure() -> None:
    """Of several workers each has cores of its own, and with it all that its tests start.

    So no worker's work is in the times that another one measures, and models compute without
    waiting for each other.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None or not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    count = min(int(os.environ["PYTEST_XDIST_WORKER_COUNT"]), len(cores))
    os.sched_setaffinity(0, cores[int(worker.removeprefix("gw")) % count :: count])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, so that no worker is left with one at the end; the browser's stay last."""
    if os.environ.get("PYTEST_XDIST_WORKER"):
        long = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: (item.path.is_relative_to(BROWSER), item.path not in long))


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> Iterator[None]:
    """A developer's own IDEAPOOL_* variables must not decide what a test sees."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in list(os.environ):
            if name.startswith("IDEAPOOL_"):
                monkeypatch.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def _statements_are_compiled_once() -> Iterator[None]:
    """For all databases of a process, as a server that runs on does. For each anew it takes a seventh of
    the time of the tests of the API.
    """
    kinds: dict[str, tuple[Dialect, dict[Any, Any]]] = {}

    def create_engine(url: URL, **options: Any) -> Engine:
        engine = sqlalchemy.create_engine(url, **options)
        dialect, compiled = kinds.setdefault(engine.name, (engine.dialect, {}))
        # The first connection to a server tells its dialect what it can.
        if dialect.server_version_info is not None:
            engine.dialect = dialect
            engine.update_execution_options(compiled_cache=compiled)
        return engine

    with pytest.MonkeyPatch.context() as monkeypatch:
        for module in (sqlite, postgresql_dialect):
            monkeypatch.setattr(module, "create_engine", create_engine)
        yield


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard() -> Iterator[None]:
    """Where a shell started the tests in the background, they and what they start ignore it."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Of modules that store much, each test runs on both kinds of database."""
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    is_for_both = "both_databases" in marks and "sqlite_only" not in marks
    if is_for_both and "database_url" in metafunc.fixturenames:
        metafunc.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresServer]:
    """A server with the template `migrated`, which has all tables, and a database like it."""
    with PostgresServer.running() as server:
        for name in ("migrated", "shared"):
            server.make_template(name)
        yield server


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """None is the SQLite file in the data folder."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield None
        return
    server: PostgresServer = request.getfixturevalue("postgresql")
    with server.emptied("shared") as url:
        yield url


@pytest.fixture
def settings(tmp_path: Path, database_url: str | None) -> Settings:
    """Its own database; the real small model, which `make test` has fetched.

    Without ideas of the bank and of boards, so that a test gets exactly what its model writes.
    """
    return Settings(
        data_dir=tmp_path,
        database_url=database_url,
        bundled_models_dir=DATA / "models",
        model="small",
        idea_bank=False,
        board_ideas=False,
    )


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a first start leaves, made once: to go through all migrations takes 70 ms."""
    path = tmp_path_factory.mktemp("database") / "ideapool.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.close()
    return path


@pytest.fixture
def elsewhere(
    settings: Settings, new_database: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Settings]:
    """Settings of another server, with a database of its own that has all of its tables."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    other = settings.model_copy(update={"data_dir": folder})
    if settings.database_url is None:
        shutil.copy(new_database, folder / "ideapool.db")
        yield other
        return
    server: PostgresServer = request.getfixturevalue("postgresql")
    with server.database("migrated") as url:
        yield other.model_copy(update={"database_url": url})


@pytest.fixture
def migrated(settings: Settings, new_database: Path) -> Settings:
    """Settings whose database has all of its tables already."""
    if settings.database_url is None:
        shutil.copy(new_database, settings.data_dir / "ideapool.db")
    return settings
