"""Routes for the sets of models: what each takes here, which one answers, and the change to another."""

from fastapi import APIRouter, status
from fastapi.concurrency import run_in_threadpool

from service.schemas.models import ModelSets, ServedSet
from service.web.api.shared import problems
from service.web.dependencies import ServedModelsDep

router = APIRouter(prefix="/models", tags=["models"])


@router.get(
    "",
    operation_id="listModelSets",
    summary="List the sets of models to choose from",
    description="With what each takes on this machine, and how far a change to another set is.",
)
def list_model_sets(models: ServedModelsDep) -> ModelSets:
    return models.describe()


@router.put(
    "/served",
    operation_id="serveModelSet",
    summary="Serve another set of models",
    description="Missing files are fetched first, while the old models still answer. Runs that have "
    "begun end on these. Naming the set that is served ends a change that is under way. The choice "
    "counts until the server is started with another `IDEAPOOL_MODEL`.",
    status_code=status.HTTP_202_ACCEPTED,
    responses=problems(404, 409),
)
async def serve_model_set(wanted: ServedSet, models: ServedModelsDep) -> ModelSets:
    await models.switch(wanted.name)
    return await run_in_threadpool(models.describe)


@router.post(
    "/speed",
    operation_id="measureModels",
    summary="Measure how fast the served models are here",
    description="It takes some seconds, in the background; `listModelSets` then has the estimates.",
    status_code=status.HTTP_202_ACCEPTED,
    responses=problems(409),
)
async def measure_models(models: ServedModelsDep) -> ModelSets:
    models.measure()
    return await run_in_threadpool(models.describe)
