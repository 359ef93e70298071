"""What routes ask for, as annotated types; everything hangs on the app that `create_app` made."""

from typing import Annotated, cast

from fastapi import Depends, Request

from service.engine.backend import Backend
from service.metrics import Metrics
from service.runs import Runs
from service.settings import Settings
from service.store import Store


def _store(request: Request) -> Store:
    return cast(Store, request.app.state.store)


def _runs(request: Request) -> Runs:
    return cast(Runs, request.app.state.runs)


def _backend(request: Request) -> Backend:
    return cast(Backend, request.app.state.backend)


def _settings(request: Request) -> Settings:
    return cast(Settings, request.app.state.settings)


def _metrics(request: Request) -> Metrics:
    return cast(Metrics, request.app.state.metrics)


def _client(request: Request) -> str:
    """Whose turn it is: requests of one address share it."""
    return request.client.host if request.client else ""


StoreDep = Annotated[Store, Depends(_store)]
RunsDep = Annotated[Runs, Depends(_runs)]
BackendDep = Annotated[Backend, Depends(_backend)]
SettingsDep = Annotated[Settings, Depends(_settings)]
MetricsDep = Annotated[Metrics, Depends(_metrics)]
ClientDep = Annotated[str, Depends(_client)]
