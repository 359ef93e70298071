"""Carries out one request on the remote server: generate, probe or embed."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing

from service.engine.remote.capabilities import Lacks, Need
from service.engine.remote.dialects import chat_body, embed_body, probe_body, text_body
from service.engine.remote.discovery import Server
from service.engine.remote.http_client import HttpClient
from service.engine.remote.replies import AnswerReader, embedding, probabilities
from service.engine.types import (
    Delta,
    Embedding,
    EmbedRequest,
    Finished,
    GenerateRequest,
    Outcome,
    Probabilities,
    ProbeRequest,
    Request,
    ScoreRequest,
    Started,
    Usage,
)
from service.errors import EngineCrashed, InvalidInput, ModelUnavailable, ServiceError

CHATS, TEXTS, EMBEDDINGS = "v1/chat/completions", "v1/completions", "v1/embeddings"
NO_TEXTS = "has no completions of raw prompts. Ask for a chat completion instead"
# How long to wait for what may follow the end of an answer, such as its usage.
AFTER_END_S = 2.0
Emit = Callable[[Started | Delta], None]


class RequestRunner:
    def __init__(self, client: HttpClient, server: Server, *, expected_s: float) -> None:
        """`expected_s` is the time to retry after if a busy server does not name one."""
        self._client = client
        self._server = server
        self._expected_s = expected_s

    async def run(self, request: Request, emit: Emit) -> Outcome:
        """Emit all events but the last one, which is returned. Cancelling closes the connection.

        Raises:
            Lacks: the server turned out to lack what the request needs.
            ServiceError: as for `Backend.submit`.
        """
        if isinstance(request, GenerateRequest):
            return await self._generate(request, emit)
        if isinstance(request, ProbeRequest):
            return await self._probe(request, emit)
        if isinstance(request, ScoreRequest):
            raise InvalidInput(
                "A remote engine cannot say how likely a given answer is. "
                "Use an embedded model for that."
            )
        return await self._embed(request, emit)

    async def _generate(self, request: GenerateRequest, emit: Emit) -> Finished:
        reader = AnswerReader(request, self._client.engine)
        async with self._events(request) as events:
            emit(Started(0))
            try:
                async with asyncio.timeout(None) as after_end, aclosing(events):
                    async for data in events:
                        if data == "[DONE]":
                            break
                        delta = reader.read(data)
                        if delta is not None:
                            emit(delta)
                        if reader.is_finished and after_end.when() is None:
                            after_end.reschedule(asyncio.get_running_loop().time() + AFTER_END_S)
            except (EngineCrashed, TimeoutError):
                # The answer is complete, and what was still to come is not needed.
                if not reader.is_finished:
                    raise
        try:
            return reader.finish()
        except ModelUnavailable as error:
            raise Lacks("logprobs", error) from error

    def _events(
        self, request: GenerateRequest
    ) -> AbstractAsyncContextManager[AsyncGenerator[str, None]]:
        server, post = self._server, self._client.post_for_events
        if request.prompt is None:
            body = chat_body(request, server.dialect, server.model)
            return post(CHATS, body, expected_s=self._expected_s)
        body = text_body(request, server.dialect, server.model)
        return post(TEXTS, body, expected_s=self._expected_s, absent=NO_TEXTS)

    async def _probe(self, request: ProbeRequest, emit: Emit) -> Probabilities:
        if not request.choices or not request.prompts:
            raise InvalidInput("A probe needs at least one prompt and one choice.")
        rows, usage, began = [], Usage(), time.monotonic()
        for index, prompt in enumerate(request.prompts):
            body = probe_body(prompt, self._server.dialect, self._server.model)
            answer = await self._post(CHATS, body, "logprobs")
            if index == 0:
                emit(Started(0))
            try:
                row, used = probabilities(answer, request.choices, self._client.engine)
            except ModelUnavailable as error:
                raise Lacks("logprobs", error) from error
            rows.append(row)
            usage += used
        return Probabilities(tuple(rows), usage + Usage(prompt_s=time.monotonic() - began))

    async def _embed(self, request: EmbedRequest, emit: Emit) -> Embedding:
        if not request.text:
            raise InvalidInput("There is no text to embed.")
        began = time.monotonic()
        try:
            body = embed_body(request, self._server.model)
            answer = await self._post(EMBEDDINGS, body, "embeddings")
        except Lacks as lack:
            raise Lacks("embeddings", _not_embedded(lack.error)) from lack
        except ModelUnavailable as error:
            raise _not_embedded(error) from error
        emit(Started(0))
        vector, usage = embedding(answer, self._client.engine)
        return Embedding(vector, usage + Usage(prompt_s=time.monotonic() - began))

    async def _post(self, path: str, body: dict[str, object], need: Need) -> str:
        return await self._client.post(path, body, expected_s=self._expected_s, need=need)


def _not_embedded(error: ServiceError) -> ModelUnavailable:
    return ModelUnavailable(f"The text could not be embedded. {error.detail}")
