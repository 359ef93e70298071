from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.support.app_server import served
from tests.support.fake_backend import FakeBackend


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def client(migrated: Settings, backend: FakeBackend) -> Iterator[TestClient]:
    app = create_app(migrated, backend)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def url(migrated: Settings, backend: FakeBackend) -> Iterator[str]:
    """Of the same app behind a socket."""
    with served(create_app(migrated, backend)) as url:
        yield url
