"""The sets of models to choose from, in the API."""

from typing import Literal

from pydantic import BaseModel, Field


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


class ModelSets(BaseModel):
    """`engine_url` is the server that answers in place of the catalog's models, if there is one."""

    served: str | None
    engine_url: str | None
    change: ModelChange | None
    is_measuring: bool
    sets: list[ModelSet]


class ServedSet(BaseModel):
    name: str = Field(max_length=100, examples=["small"])
