"""Which models clients may name, and the routes that list them."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel

from service.engine.backend import Backend
from service.engine.types import REQUIRED_ROLES, ModelInfo
from service.errors import ModelUnavailable, NotFound
from service.web.dependencies import BackendDep

router = APIRouter(tags=["openai"])
NO_MODEL: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such model."}}


class ModelEntry(BaseModel):
    """A model in OpenAI's list. `created` is unknown and always 0."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "ideapool"


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelEntry]


def served_models(backend: Backend) -> dict[str, ModelInfo]:
    """Models by name and by role. A name takes precedence over a role that is spelled alike."""
    found = {model.name: model for model in backend.models()}
    for role in REQUIRED_ROLES:
        try:
            found.setdefault(role, backend.model_for(role))
        except ModelUnavailable:
            continue
    return found


def find_model(backend: Backend, name: str) -> ModelInfo:
    """Raises: NotFound, which lists the known names."""
    models = served_models(backend)
    if name not in models:
        raise NotFound(f"There is no model {name!r}. The models are: {', '.join(models)}.")
    return models[name]


@router.get(
    "/models",
    operation_id="listModels",
    summary="List the models",
    description="Lists the names of all models, then the roles they serve.",
)
async def list_models(backend: BackendDep) -> ModelList:
    return ModelList(data=[ModelEntry(id=name) for name in served_models(backend)])


@router.get(
    "/models/{model}",
    operation_id="getModel",
    summary="Check whether a model exists",
    responses=NO_MODEL,
)
async def get_model(
    model: Annotated[str, Path(max_length=100, examples=["general"])], backend: BackendDep
) -> ModelEntry:
    find_model(backend, model)
    return ModelEntry(id=model)
