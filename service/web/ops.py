"""Routes for operators and orchestrators: liveness, readiness and metrics."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from service.engine.types import EngineStatus, ModelInfo
from service.errors import ServiceError
from service.schemas.models import Engine
from service.settings import Settings
from service.store.replicas import SeenReplica
from service.web.abilities import BROKEN, abilities
from service.web.dependencies import BackendDep, MetricsDep, ReadinessDep, RunsDep, StoreDep
from service.web.visitors import Visitors

router = APIRouter(include_in_schema=False)


@router.get("/livez")
@router.get("/healthz")
async def livez() -> dict[str, str]:
    return {"status": "alive"}


@router.get("/readyz")
async def readyz(
    request: Request, store: StoreDep, readiness: ReadinessDep, runs: RunsDep, backend: BackendDep
) -> JSONResponse:
    """Says whether requests should be sent here, and the state of each part.

    `status` is `ready`, `degraded` if something that needs a model does not work, or `stopping`.
    `degraded` is still 200: ideas can be read and written without a model, so the server must stay
    in traffic. `abilities` says what works. Nobody of this project has run the file of an `untried`
    model. Whoever may know how the server is set up gets the `error` of a model, with the file and its
    hash, and `engines`, the servers that answer in place of the catalog's models, if there are any.
    While a model loads, the server is `ready`, as requests wait for the model. `replicas` has the
    servers that share the database, where several may; those `here` have renewed their lease in time.
    503 means that the server is stopping or that the database cannot be read and written.
    """
    replicas = await readiness.replicas()
    can = abilities(backend)
    status = "degraded" if any(state in BROKEN for state in can.values()) else "ready"
    if runs.is_closing:
        status = "stopping"
    models, engines = backend.models(), backend.stats().engines
    has_details = bool(engines) or any(model.error for model in models)
    # Only then, as it takes a thread.
    tells = has_details and await _may_know(request)
    return JSONResponse(
        {
            "status": status,
            "database": "ok",
            "abilities": can,
            "models": {model.name: _model(model, tells=tells) for model in models},
            **({"engines": _engines(engines)} if engines and tells else {}),
            **({"replicas": _replicas(replicas)} if store.is_shared else {}),
        },
        status_code=503 if runs.is_closing else 200,
    )


async def _may_know(request: Request) -> bool:
    """Whether whoever asks may know how the server is set up. A wrong key is no reason for another status."""
    settings: Settings = request.app.state.settings
    visitors: Visitors = request.app.state.visitors
    if settings.shows_itself and not settings.needs_key:
        return True
    try:
        return await visitors.who(request.scope, request.headers) is not None
    except ServiceError:
        return False


def _model(model: ModelInfo, *, tells: bool) -> dict[str, Any]:
    return {
        "roles": list(model.roles),
        "state": model.state,
        "progress": round(model.progress, 3),
        **({"error": model.error} if model.error and tells else {}),
        **({"untried": True} if model.untried else {}),
    }


def _engines(engines: Sequence[EngineStatus]) -> list[dict[str, Any]]:
    return [Engine.model_validate(one, from_attributes=True).model_dump() for one in engines]


def _replicas(seen: Sequence[SeenReplica]) -> list[dict[str, Any]]:
    """Without their names: anybody may ask."""
    return [
        {
            "version": one.version,
            "here": one.is_here,
            "outdated": one.is_outdated,
            "seen_s": one.seen_s,
        }
        for one in seen
    ]


@router.get("/metrics")
def metrics(counts: MetricsDep, runs: RunsDep, backend: BackendDep) -> Response:
    return Response(
        counts.exposition(active=runs.active, stats=backend.stats()),
        media_type=CONTENT_TYPE_LATEST,
    )
