"""Routes for operators and orchestrators: liveness, readiness and metrics."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from service.schemas.models import Engine
from service.store.replicas import SeenReplica
from service.web.abilities import BROKEN, abilities
from service.web.dependencies import BackendDep, MetricsDep, ReadinessDep, RunsDep, StoreDep

router = APIRouter(include_in_schema=False)


@router.get("/livez")
@router.get("/healthz")
async def livez() -> dict[str, str]:
    return {"status": "alive"}


@router.get("/readyz")
async def readyz(
    store: StoreDep, readiness: ReadinessDep, runs: RunsDep, backend: BackendDep
) -> JSONResponse:
    """Says whether requests should be sent here, and the state of each part.

    `status` is `ready`, `degraded` if something that needs a model does not work, or `stopping`.
    `degraded` is still 200: ideas can be read and written without a model, so the server must stay
    in traffic. `abilities` says what works; the `error` of a model has the file and its hash, and
    nobody of this project has run the file of an `untried` one. `engines` has the servers that answer
    in place of the catalog's models, if there are any. While a model loads, the server is
    `ready`, as requests wait for the model. `replicas` has the servers that share the database, where
    several may; those `here` have renewed their lease in time. 503 means that the server is stopping or that the
    database cannot be read and written.
    """
    replicas = await readiness.replicas()
    can = abilities(backend)
    status = "degraded" if any(state in BROKEN for state in can.values()) else "ready"
    if runs.is_closing:
        status = "stopping"
    models: dict[str, Any] = {
        model.name: {
            "roles": list(model.roles),
            "state": model.state,
            "progress": round(model.progress, 3),
            **({"error": model.error} if model.error else {}),
            **({"untried": True} if model.untried else {}),
        }
        for model in backend.models()
    }
    engines = [Engine.model_validate(one, from_attributes=True) for one in backend.stats().engines]
    return JSONResponse(
        {
            "status": status,
            "database": "ok",
            "abilities": can,
            "models": models,
            **({"engines": [one.model_dump() for one in engines]} if engines else {}),
            **({"replicas": _replicas(replicas)} if store.is_shared else {}),
        },
        status_code=503 if runs.is_closing else 200,
    )


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
