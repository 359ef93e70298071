"""What requests need that not every server offers. Pure."""

from typing import Literal

from service.engine.remote.dialects import Dialect
from service.engine.types import EmbedRequest, GenerateRequest, ProbeRequest, Request
from service.errors import ServiceError

Need = Literal["embeddings", "grammars", "logit_bias", "logprobs", "schemas_of_texts", "texts"]


class Lacks(Exception):
    """A server turned out to lack something. `error` is for the caller if no other server has it.

    It never leaves this package.
    """

    def __init__(self, need: Need, error: ServiceError) -> None:
        super().__init__(error.detail)
        self.need = need
        self.error = error


def needs_of(request: Request) -> frozenset[Need]:
    if isinstance(request, EmbedRequest):
        return frozenset({"embeddings"})
    if isinstance(request, ProbeRequest):
        return frozenset({"logprobs"})
    return _of_generation(request) if isinstance(request, GenerateRequest) else frozenset()


def _of_generation(request: GenerateRequest) -> frozenset[Need]:
    is_text = request.prompt is not None
    needed: dict[Need, bool] = {
        "grammars": request.grammar is not None,
        "logit_bias": bool(request.sampling.logit_bias),
        "logprobs": request.logprobs is not None,
        "schemas_of_texts": is_text and request.json_schema is not None,
        "texts": is_text,
    }
    return frozenset(need for need, is_needed in needed.items() if is_needed)


def lacks_of(dialect: Dialect) -> frozenset[Need]:
    """What no server of this kind offers."""
    missing: dict[Need, bool] = {
        "grammars": dialect.grammar is None,
        "logit_bias": not dialect.takes_logit_bias,
        "schemas_of_texts": dialect.schema_for_raw is None,
    }
    return frozenset(need for need, is_missing in missing.items() if is_missing)
