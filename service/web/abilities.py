"""What the models can do at the moment, for `/readyz` and the pages.

It says what works. Which file is wrong, and how, is for the operator.
"""

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
# A model that is idle is loaded when it is asked.
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


def _model(backend: Backend, role: Role) -> ModelInfo | None:
    try:
        return backend.model_for(role)
    except ModelUnavailable:
        return None
