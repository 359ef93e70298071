"""The sets of models to choose from, in the API."""

from typing import Literal

from pydantic import BaseModel, Field

from service.engine.types import EngineState


class ModelSet(BaseModel):
    """One set of the catalog and what it takes on this machine.

    `tokens_per_s` is an estimate for one answer, from a model that was measured here; null where
    none was. `obstacle` says why this machine cannot run the set.
    """

    name: str | None = Field(examples=["standard"])
    models: list[str]
    licences: list[str]
    is_served: bool
    is_here: bool = Field(description="Whether all files are here.")
    untried: bool = Field(description="Nobody of the project has run it yet; its hash is checked.")
    download_bytes: int
    memory_bytes: int = Field(description="Weights and caches, when all models are loaded.")
    is_memory_known: bool = Field(description="False if the caches are missing in it.")
    tokens_per_s: float | None
    obstacle: str | None


class ModelChange(BaseModel):
    """A change to another set; a failed one stays until the next begins."""

    name: str | None
    phase: Literal["fetching", "ending", "failed"]
    progress: float = Field(ge=0, le=1)
    error: str | None


class Engine(BaseModel):
    """A server that answers in place of the catalog's models.

    A `busy` one refused a request and gets no more for as long as it said. One on `trial` failed
    and gets one request at a time until one succeeds. A `different` one serves another model than
    the others and gets none.
    """

    url: str = Field(examples=["http://gpu-1:8080"])
    kind: str = Field(description="Empty until it has answered.", examples=["llama-server"])
    model: str = Field(description="Empty until it has answered.", examples=["qwen3-30b"])
    state: EngineState
    running: int = Field(description="Requests of this Ideapool that it works on.", examples=[3])
    slots: int = Field(description="Requests that it gets at a time.", examples=[8])
    failures: int = Field(description="Requests that failed there.", examples=[0])
    moved: int = Field(description="Requests that another engine took over.", examples=[0])
    error: str | None = Field(description="What went wrong last, until a request succeeds.")


class ModelSets(BaseModel):
    """`engine_url` are the servers that answer in place of the catalog's models, if there are any."""

    served: str | None
    engine_url: str | None = Field(description="Several are separated by commas.")
    engines: list[Engine]
    change: ModelChange | None
    is_measuring: bool
    sets: list[ModelSet]


class ServedSet(BaseModel):
    name: str = Field(max_length=100, examples=["small"])
