"""What operators and orchestrators ask: alive, ready, how busy."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from service.web.dependencies import BackendDep, MetricsDep, RunsDep, StoreDep

router = APIRouter(include_in_schema=False)


@router.get("/livez")
@router.get("/healthz")
async def livez() -> dict[str, str]:
    return {"status": "alive"}


@router.get("/readyz")
def readyz(store: StoreDep, runs: RunsDep, backend: BackendDep) -> JSONResponse:
    """200 as soon as ideas can be read and written; how the models are is told beside it.

    Pages and ideas do not wait for a model, so neither does readiness.
    """
    store.boards.default()
    is_ready = not runs.is_closing
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
        {"status": "ready" if is_ready else "stopping", "database": "ok", "models": models},
        status_code=200 if is_ready else 503,
    )


@router.get("/metrics")
def metrics(counts: MetricsDep, runs: RunsDep, backend: BackendDep) -> Response:
    return Response(
        counts.exposition(active=runs.active, stats=backend.stats()),
        media_type=CONTENT_TYPE_LATEST,
    )
