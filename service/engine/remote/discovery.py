"""Finds out which kind of server is at a URL, and which model it serves."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from service.engine.remote.dialects import (
    IDEAPOOL,
    LLAMA_SERVER,
    OLLAMA,
    OPENAI,
    VLLM,
    Dialect,
    vllm_of,
)
from service.engine.remote.http_client import HttpClient
from service.errors import ModelUnavailable


@dataclass(frozen=True, slots=True)
class Server:
    """`context` and `hidden_size` are 0 and `slots` is None where the server does not say.

    `hidden_size` is how many numbers the model has for each token.
    """

    model: str
    dialect: Dialect
    context: int
    slots: int | None
    hidden_size: int = 0


async def discover(client: HttpClient, wanted: str | None) -> Server:
    """Raises:
    EngineBusy: the server is still loading its model.
    ModelUnavailable: the server cannot be used; the error says why.
    """
    listed = await client.get_json("v1/models")
    if listed is None and wanted is not None:
        # Some servers have chat completions only; the first request shows whether they work.
        return Server(wanted, OPENAI, 0, None)
    model = chosen_model(listed_models(listed, client.engine), wanted, client.engine)
    slots = None
    if model.owned_by == "llamacpp":
        dialect = LLAMA_SERVER
        properties = await client.get_json("props")
        slots = _positive(_member(properties, "total_slots"))
    elif model.owned_by == "vllm":
        version = _member(await client.get_json("version"), "version")
        dialect = vllm_of(version) if isinstance(version, str) else VLLM
    elif model.owned_by == "ideapool":
        dialect = IDEAPOOL
    else:
        is_ollama = _member(await client.get_json("api/version"), "version") is not None
        dialect = OLLAMA if is_ollama else OPENAI
    return Server(wanted or model.id, dialect, model.context, slots, model.hidden_size)


class _Meta(BaseModel):
    n_ctx: int = 0
    n_embd: int = 0


class ListedModel(BaseModel):
    """An entry of `/v1/models`, with the fields that some kinds of servers add."""

    id: str
    aliases: list[str] = []
    owned_by: str = ""
    max_model_len: int | None = None
    meta: _Meta | None = None

    @property
    def context(self) -> int:
        """Tokens of the context, or 0 where the server does not say."""
        return self.max_model_len or (self.meta.n_ctx if self.meta is not None else 0)

    @property
    def hidden_size(self) -> int:
        return self.meta.n_embd if self.meta is not None else 0

    def is_called(self, name: str) -> bool:
        return name in (self.id, *self.aliases) or self.id == f"{name}:latest"


class ModelList(BaseModel):
    data: list[ListedModel] = Field(min_length=1)


def listed_models(answer: Any, engine: str) -> list[ListedModel]:
    """Raises ModelUnavailable if the answer to `/v1/models` is not a list of models."""
    try:
        return ModelList.model_validate(answer).data
    except ValidationError as error:
        raise ModelUnavailable(
            f"{engine} lists no models at /v1/models. Load one there, or correct "
            "IDEAPOOL_ENGINE_URL."
        ) from error


def chosen_model(models: list[ListedModel], wanted: str | None, engine: str) -> ListedModel:
    """The wanted model, or the only one.

    Raises:
        ModelUnavailable: the wanted model is not there, or none is wanted and there are several.
    """
    names = ", ".join(model.id for model in models[:10])
    if wanted is None:
        if len(models) > 1:
            raise ModelUnavailable(
                f"{engine} has several models: {names}. Name one in IDEAPOOL_ENGINE_MODEL."
            )
        return models[0]
    for model in models:
        if model.is_called(wanted):
            return model
    raise ModelUnavailable(
        f"{engine} has no model {wanted!r}. It has: {names}. Correct IDEAPOOL_ENGINE_MODEL."
    )


def _member(answer: Any, name: str) -> Any:
    return answer.get(name) if isinstance(answer, dict) else None


def _positive(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
