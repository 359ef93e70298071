"""Embeddings of texts for clients of OpenAI's API."""

import asyncio
import base64
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, StringConstraints

from service.engine.backend import Backend
from service.engine.client import cut_off
from service.engine.types import Embedding, EmbedRequest
from service.errors import DeadlineExceeded
from service.messages import Text as Words
from service.web.dependencies import BackendDep, ClientDep, SettingsDep
from service.web.openai.exchange import queue_client
from service.web.openai.fields import RequestModel, Text, Unsupported
from service.web.openai.models import NO_MODEL, find_model
from service.web.sse import while_connected

INPUTS_CEILING = 256
Input = Annotated[Text, StringConstraints(min_length=1)]
router = APIRouter(tags=["openai"])


class EmbeddingsRequest(RequestModel):
    """A request for the vectors of texts. Token ids are not supported."""

    model: Annotated[str, StringConstraints(max_length=100)] = Field(examples=["general"])
    input: Input | Annotated[list[Input], Field(min_length=1, max_length=INPUTS_CEILING)] = Field(
        examples=[["A shelf for borrowed tools"]]
    )
    encoding_format: Literal["float", "base64"] | None = Field(
        default=None, description="`base64` packs float32 numbers in little-endian order."
    )
    user: Annotated[str, StringConstraints(max_length=256)] | None = Field(
        default=None, description="The user, for fair queueing, as in chat completions."
    )
    dimensions: Unsupported = None


class EmbeddingEntry(BaseModel):
    """A vector of length 1: numbers, or their base64 form."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingsUsage(BaseModel):
    prompt_tokens: int
    total_tokens: int


class EmbeddingsAnswer(BaseModel):
    object: Literal["list"] = "list"
    model: str
    data: list[EmbeddingEntry]
    usage: EmbeddingsUsage


_RESPONSES: dict[int | str, dict[str, Any]] = NO_MODEL | {
    200: {"model": EmbeddingsAnswer, "description": "The vectors, in the order of the texts."},
    502: {"description": "The model failed; try again."},
    504: {"description": "The vectors were not finished within the time limit."},
}


@router.post(
    "/embeddings",
    operation_id="createEmbeddings",
    summary="Embed texts",
    description="The vector of a text is the mean of the model's last hidden states over its tokens, with "
    "length 1. Every model embeds. Disconnecting stops the work.",
    response_class=Response,
    responses=_RESPONSES,
)
async def create_embeddings(
    asked: EmbeddingsRequest,
    request: Request,
    backend: BackendDep,
    settings: SettingsDep,
    client: ClientDep,
) -> Response:
    model = find_model(backend, asked.model).name
    texts = [asked.input] if isinstance(asked.input, str) else asked.input
    user = queue_client(client, asked.user)
    requests = [
        # Once the first text has a place, the list is not given up for a full queue.
        EmbedRequest(
            f"embd-{request.state.request_id}-{index}",
            model,
            text,
            client=user,
            is_admitted=index > 0,
        )
        for index, text in enumerate(texts)
    ]
    async with while_connected(request.receive), aclosing(_embed(backend, requests)) as vectors:
        try:
            async with asyncio.timeout(settings.run_deadline_s):
                found = [one async for one in vectors]
        except TimeoutError as error:
            raise DeadlineExceeded(
                Words("The texts were not embedded in time. Send fewer at once.")
            ) from error
    tokens = sum(one.usage.prompt_tokens for one in found)
    answer = EmbeddingsAnswer(
        model=model,
        data=[
            EmbeddingEntry(index=index, embedding=_written(one.vector, asked.encoding_format))
            for index, one in enumerate(found)
        ],
        usage=EmbeddingsUsage(prompt_tokens=tokens, total_tokens=tokens),
    )
    return Response(answer.model_dump_json(), media_type="application/json")


async def _embed(
    backend: Backend, requests: Sequence[EmbedRequest]
) -> AsyncGenerator[Embedding, None]:
    """One after the other, so that a long list leaves places for others."""
    for request in requests:
        async with aclosing(backend.submit(request)) as events:
            found = [event async for event in events if isinstance(event, Embedding)]
        if not found:
            raise cut_off()
        yield found[0]


def _written(vector: Sequence[float], form: str | None) -> list[float] | str:
    values = np.asarray(vector, np.float32)
    length = float(np.linalg.norm(values))
    unit = values / length if length else values
    if form == "base64":
        return base64.b64encode(unit.astype("<f4").tobytes()).decode()
    numbers: list[float] = unit.tolist()
    return numbers
