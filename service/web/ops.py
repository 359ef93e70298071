"""What operators and orchestrators ask: alive, ready, how busy."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from service.web.abilities import BROKEN, abilities
from service.web.dependencies import BackendDep, MetricsDep, RunsDep, StoreDep

router = APIRouter(include_in_schema=False)


@router.get("/livez")
@router.get("/healthz")
async def livez() -> dict[str, str]:
    return {"status": "alive"}


@router.get("/readyz")
def readyz(store: StoreDep, runs: RunsDep, backend: BackendDep) -> JSONResponse:
    """Whether requests should be sent here, and how each part is.

    `status` is `ready`, `degraded` if something that the models do cannot be done, or `stopping`.
    `degraded` is still 200: ideas can be read and written without a model, and an orchestrator that
    took the server out of traffic would take them away, too. What works is told by `abilities`; the
    file and its hash are in the model's `error`. While a model loads the server is `ready`, as
    requests wait for it. 503 is for a server that is stopping or whose database does not answer.
    """
    store.boards.default()
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
        }
        for model in backend.models()
    }
    return JSONResponse(
        {"status": status, "database": "ok", "abilities": can, "models": models},
        status_code=503 if runs.is_closing else 200,
    )


@router.get("/metrics")
def metrics(counts: MetricsDep, runs: RunsDep, backend: BackendDep) -> Response:
    return Response(
        counts.exposition(active=runs.active, stats=backend.stats()),
        media_type=CONTENT_TYPE_LATEST,
    )
