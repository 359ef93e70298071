"""What the models can do at the moment, for `/readyz` and the pages.

It reports only what works; details of faulty files are for the operator.
"""

from dataclasses import dataclass
from typing import Literal

from service.engine.backend import Backend
from service.engine.types import ModelInfo, ModelState, Role
from service.errors import ModelUnavailable
from service.messages import Text

Ability = Literal["brainstorm", "refine", "evaluate"]
AbilityState = Literal["ready", "loading", "missing", "failed"]
_ROLES: dict[Ability, Role] = {
    "brainstorm": "brainstorm",
    "refine": "refine",
    "evaluate": "general",
}
NAMES: dict[Ability, Text] = {
    "brainstorm": Text("brainstorm"),
    "refine": Text("refine"),
    "evaluate": Text("evaluate and compare"),
}
# An idle model is loaded when a request needs it.
_STATES: dict[ModelState, AbilityState] = {
    "ready": "ready",
    "idle": "ready",
    "loading": "loading",
    "fetching": "loading",
    "absent": "missing",
    "failed": "failed",
}
BROKEN: tuple[AbilityState, ...] = ("missing", "failed")


def abilities(backend: Backend) -> dict[Ability, AbilityState]:
    models = {ability: _model(backend, role) for ability, role in _ROLES.items()}
    return {
        ability: "missing" if model is None else _STATES[model.state]
        for ability, model in models.items()
    }


@dataclass(frozen=True, slots=True)
class AnsweringModel:
    """The model that evaluates, and in most sets writes as well."""

    name: str
    state: AbilityState
    is_busy: bool


def answering_model(backend: Backend) -> AnsweringModel | None:
    model = _model(backend, "general")
    if model is None:
        return None
    return AnsweringModel(model.name, _STATES[model.state], backend.stats().running > 0)


def fetched_share(backend: Backend) -> float | None:
    """Of the model that is being fetched or built; None if none is."""
    shares = [one.progress for one in backend.models() if one.state == "fetching"]
    return min(shares, default=None)


def _model(backend: Backend, role: Role) -> ModelInfo | None:
    try:
        return backend.model_for(role)
    except ModelUnavailable:
        return None
