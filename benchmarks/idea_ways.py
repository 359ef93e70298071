"""The ways to get eight ideas, each measured until all eight are valid and distinct.

One judge for all: the product's own collection of a run's ideas. Who talks to llama-server does so
over HTTP, as its users would.
"""

import asyncio
import contextlib
import dataclasses
import itertools
import json
import math
import os
import statistics
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import httpx2
import numpy as np

from benchmarks import idea_list
from benchmarks.processes import cpu_seconds, machine_cpu_seconds
from benchmarks.results import COMPILED
from service.analysis.scoring import Scorer
from service.analysis.word_overlap import resemblance
from service.engine.backend import Backend
from service.engine.types import Delta, Embedding, EmbedRequest, GenerateRequest, ModelInfo
from service.errors import AnswerUnusable
from service.ideation.distinct_ideas import BrainstormWork, DistinctIdeas
from service.ideation.drafting import brainstorm
from service.ideation.events import DraftDropped, Step, Suggested
from service.ideation.model_client import Ledger, ModelClient, attempt_seed
from service.ideation.use_case import RunContext
from service.prompts.methods import Angle
from service.prompts.tasks import brainstorm_prompt, embedding_text
from service.schemas.brainstorm import SuggestionPublic

N = 8
CREATIVITY = 0.5
LISTS_AT_MOST = 8
PARALLEL, ALONE, LIST, OUR_LIST = (
    "brainstorm, side by side",
    "brainstorm, one by one",
    f"list, {COMPILED}",
    "list, our engine",
)
# Pieces of text as they come; closing it ends the answer.
Pieces = AsyncGenerator[str, None]


@dataclass(slots=True)
class Outcome:
    """`seconds` is infinite where the eighth idea never came."""

    topic: str
    way: str
    ideas: list[SuggestionPublic] = field(default_factory=list)
    dropped: int = 0
    tokens: int = 0
    seconds: float = math.inf
    took_s: float = 0.0
    foreign_cpu: float = 0.0
    cosine: float = math.nan

    @property
    def rate(self) -> float:
        return len(self.ideas) / self.took_s

    @property
    def usable(self) -> float:
        return len(self.ideas) / max(1, len(self.ideas) + self.dropped)

    @property
    def resemblance(self) -> float:
        texts = [f"{idea.title}. {idea.text}" for idea in self.ideas]
        pairs = itertools.combinations(texts, 2)
        return _mean([resemblance(one, other, ignore=self.topic) for one, other in pairs])

    @property
    def first_words(self) -> int:
        return len({idea.title.split()[0].casefold() for idea in self.ideas})

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"ideas": [one.model_dump() for one in self.ideas]}


Way = Callable[[str, int, Outcome], Awaitable[None]]


class Ways:
    """The ways to get ideas, on a backend that has been started and a llama-server that is up."""

    def __init__(self, backend: Backend, url: str) -> None:
        self._backend = backend
        self._url = url
        # A list that is cut off ends its connection; the next must not be sent on it.
        limits = httpx2.Limits(max_keepalive_connections=0)
        self._http = httpx2.AsyncClient(timeout=600, limits=limits)
        self.all: dict[str, Way] = {
            PARALLEL: self._side_by_side,
            ALONE: self._one_by_one,
            LIST: self._peer_list,
            OUR_LIST: self._our_list,
        }

    async def measure(self, way: str, topic: str, seed: int) -> Outcome:
        outcome = Outcome(topic, way)
        before = machine_cpu_seconds() - cpu_seconds(os.getpid())
        began = time.perf_counter()
        with contextlib.suppress(AnswerUnusable):
            await self.all[way](topic, seed, outcome)
        outcome.took_s = time.perf_counter() - began
        foreign = machine_cpu_seconds() - cpu_seconds(os.getpid()) - before
        outcome.foreign_cpu = max(0.0, foreign) / (outcome.took_s * (os.cpu_count() or 1))
        if len(outcome.ideas) == N:
            outcome.seconds = outcome.took_s
        outcome.cosine = await self._cosine(outcome.ideas)
        return outcome

    async def __aenter__(self) -> Self:
        while self._model.state != "ready":
            if self._model.error is not None:
                raise RuntimeError(self._model.error)
            await asyncio.sleep(0.05)
        short = replace(_list_request(DistinctIdeas(_work("a warm-up")), N, 0), max_tokens=8)
        for ask in (self._ask_ours, self._ask_peer):
            async for _ in ask(short):
                pass
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()
        await self._backend.close()

    @property
    def _model(self) -> ModelInfo:
        return self._backend.models()[0]

    async def _side_by_side(self, topic: str, seed: int, outcome: Outcome) -> None:
        await self._brainstorm(topic, seed, outcome, self._model.slots)

    async def _one_by_one(self, topic: str, seed: int, outcome: Outcome) -> None:
        await self._brainstorm(topic, seed, outcome, 1)

    async def _peer_list(self, topic: str, seed: int, outcome: Outcome) -> None:
        await _list(self._ask_peer, topic, seed, outcome)

    async def _our_list(self, topic: str, seed: int, outcome: Outcome) -> None:
        await _list(self._ask_ours, topic, seed, outcome)

    async def _brainstorm(self, topic: str, seed: int, outcome: Outcome, slots: int) -> None:
        async def note(step: Step) -> None:
            if isinstance(step, Suggested):
                outcome.ideas.append(step.suggestion)
            elif isinstance(step, DraftDropped):
                outcome.dropped += 1

        ledger = Ledger()
        asker = ModelClient(self._backend, replace(self._model, slots=slots), "bench", ledger, note)
        try:
            context = RunContext(asker, seed, Scorer(self._backend), None, math.inf)
            await brainstorm(context, _work(topic))
        finally:
            outcome.tokens = ledger.usage.completion_tokens

    async def _ask_ours(self, request: GenerateRequest) -> Pieces:
        events = self._backend.submit(replace(request, model=self._model.name))
        async with contextlib.aclosing(events):
            async for event in events:
                if isinstance(event, Delta):
                    yield event.text

    async def _ask_peer(self, request: GenerateRequest) -> Pieces:
        asked = {
            "messages": [dataclasses.asdict(message) for message in request.messages],
            "max_tokens": request.max_tokens,
            "stream": True,
            **dataclasses.asdict(request.sampling),
        }
        del asked["logit_bias"]
        url = f"{self._url}/v1/chat/completions"
        async with self._http.stream("POST", url, json=asked) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    choices = json.loads(line[6:])["choices"]
                    piece = choices[0]["delta"].get("content") if choices else None
                    if piece:
                        yield piece

    async def _cosine(self, ideas: Sequence[SuggestionPublic]) -> float:
        """Mean over the pairs, by the model's own embeddings."""
        vectors = []
        for idea in ideas:
            text = embedding_text(idea.title, idea.text)
            async for event in self._backend.submit(EmbedRequest(idea.id, self._model.name, text)):
                if isinstance(event, Embedding):
                    vector = np.array(event.vector)
                    vectors.append(vector / np.linalg.norm(vector))
        pairs = itertools.combinations(vectors, 2)
        return _mean([float(one @ other) for one, other in pairs])


async def _list(
    ask: Callable[[GenerateRequest], Pieces], topic: str, seed: int, outcome: Outcome
) -> None:
    """Asked until all are there; an answer that goes on beyond what was asked for is cut off."""
    collection = DistinctIdeas(_work(topic))
    outcome.ideas = collection.made
    for attempt in range(LISTS_AT_MOST):
        missing = N - len(collection.made)
        if not missing:
            return
        text, judged = "", 0
        request = _list_request(collection, missing, attempt_seed(seed, attempt))
        async with contextlib.aclosing(ask(request)) as pieces:
            async for piece in pieces:
                outcome.tokens += 1
                text += piece
                # An item is complete with the number of the next.
                if any(character.isdigit() for character in piece):
                    found = idea_list.items(text, is_whole=False)
                    _judge(found[judged:], collection, outcome)
                    judged = len(found)
                if len(collection.made) == N or judged >= 2 * missing:
                    break
            else:
                found = idea_list.items(text, is_whole=True)
                _judge(found[judged:], collection, outcome)


def _judge(items: list[str], collection: DistinctIdeas, outcome: Outcome) -> None:
    for item in items:
        if len(collection.made) == N:
            return
        try:
            collection.add(idea_list.as_answer(item), "list")
        except AnswerUnusable:
            outcome.dropped += 1


def _list_request(collection: DistinctIdeas, missing: int, seed: int) -> GenerateRequest:
    """With the sampling of the brainstorm."""
    like = brainstorm_prompt(collection.work.topic, Angle("", ""), creativity=CREATIVITY, seed=seed)
    asked = idea_list.messages(
        collection.work.topic, missing, [idea.title for idea in collection.made]
    )
    return GenerateRequest(
        id=uuid.uuid4().hex,
        model="",
        messages=asked,
        max_tokens=missing * idea_list.TOKENS_PER_IDEA,
        sampling=like.sampling,
    )


def _work(topic: str) -> BrainstormWork:
    return BrainstormWork(topic, "", "free", N, CREATIVITY, ())


def _mean(values: Sequence[float]) -> float:
    return statistics.fmean(values) if values else math.nan
