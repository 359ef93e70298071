from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from service.store import Store
from tests.support.app_server import served
from tests.support.fake_backend import FakeBackend
from tests.support.people import store_of


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def client(migrated: Settings, backend: FakeBackend) -> Iterator[TestClient]:
    app = create_app(migrated, backend)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def store(client: TestClient) -> Store:
    return store_of(client)


@pytest.fixture
def url(migrated: Settings, backend: FakeBackend) -> Iterator[str]:
    """The address of the same app behind a real socket."""
    with served(create_app(migrated, backend)) as url:
        yield url
