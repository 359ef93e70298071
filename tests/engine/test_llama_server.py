"""The remote backend on a real llama-server with the small model."""

import asyncio
import itertools
import json
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.engine.remote import Address, RemoteBackend
from service.engine.types import (
    Delta,
    Embedding,
    EmbedRequest,
    Event,
    Finished,
    GenerateRequest,
    Message,
    Probabilities,
    ProbeRequest,
    Queued,
    Request,
    Sampling,
    Started,
)
from service.errors import InvalidInput, ModelUnavailable, PromptTooLong
from service.prompts.answers import partial_suggestion
from service.prompts.grammars import suggestion_grammar
from service.prompts.tasks import DEFAULT_CRITERIA, PROBE_CHOICES, probe_messages
from service.settings import PROJECT_ROOT, Settings
from tests.engine.conftest import ENDLESS
from tests.support.app_server import START_S, free_port
from tests.support.engine_events import text_of

LAUNCHER = PROJECT_ROOT / "benchmarks" / "llama_server.py"
LONG = "Tell me everything you know about gardens."
_numbers = itertools.count()


@contextmanager
def llama_server(model: Path, **options: Any) -> Iterator[str]:
    """The URL of a llama-server; it has one thread, so that it does not slow other processes."""
    port = free_port()
    parameters = {"model": str(model), "threads": 1, "port": port, "n_gpu_layers": 0, "n_ctx": 2048}
    parameters |= {"n_parallel": 2, "warmup": False, "cache_ram_mib": 0} | options
    command = [sys.executable, str(LAUNCHER), json.dumps(parameters)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield _once_up(process, f"http://127.0.0.1:{port}")
        finally:
            process.kill()


def _once_up(process: subprocess.Popen[bytes], url: str) -> str:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "llama-server ended"
        try:
            if httpx2.get(f"{url}/health").status_code == 200:
                return url
        except httpx2.TransportError:
            pass
        time.sleep(0.05)
    raise TimeoutError("llama-server did not start")


@pytest.fixture(scope="module")
def url(small_path: Path) -> Iterator[str]:
    with llama_server(small_path) as url:
        yield url


@pytest.fixture(scope="module")
def backend(runner: asyncio.Runner, url: str) -> Iterator[RemoteBackend]:
    backend = RemoteBackend(Address(url))
    runner.run(backend.start())
    runner.run(once_looked(backend))
    yield backend
    runner.run(backend.close())


async def once_looked(backend: RemoteBackend) -> None:
    async for _ in ticks(START_S):
        if backend.models()[0].state != "idle":
            return


async def ticks(within_s: float) -> AsyncGenerator[None, None]:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        yield
        await asyncio.sleep(0.01)
    raise TimeoutError


Ask = Callable[[Request], list[Event]]


@pytest.fixture
def collect(runner: asyncio.Runner, backend: RemoteBackend) -> Ask:
    async def drain(request: Request) -> list[Event]:
        return [event async for event in backend.submit(request)]

    return lambda request: runner.run(asyncio.wait_for(drain(request), START_S))


@pytest.fixture
def ask(backend: RemoteBackend) -> Callable[..., GenerateRequest]:
    def build(text: str = "Name a colour.", max_tokens: int = 8, **more: Any) -> GenerateRequest:
        name = backend.models()[0].name
        messages = (Message("user", text),)
        request = GenerateRequest(f"g{next(_numbers)}", name, messages, max_tokens)
        return replace(request, **more)

    return build


def test_the_kind_of_server_is_recognised(backend: RemoteBackend, small_path: Path) -> None:
    (info,) = backend.models()

    assert (info.state, info.error) == ("ready", None)
    assert small_path.name in info.name
    assert (info.context, info.slots) == (1024, 2)
    server = backend._pool.engines[0].server
    assert server is not None
    assert server.hidden_size > 0


def test_an_answer_streams_and_its_tokens_are_counted(
    collect: Ask, ask: Callable[..., GenerateRequest]
) -> None:
    started, *pieces, end = collect(ask(max_tokens=60, sampling=ENDLESS))

    assert started == Started(0)
    assert 1 < len(pieces) <= 60
    assert isinstance(end, Finished)
    assert (end.reason, end.usage.completion_tokens) == ("length", 60)
    assert end.usage.prompt_tokens > 10


def test_the_same_seed_gives_the_same_text(
    collect: Ask, ask: Callable[..., GenerateRequest]
) -> None:
    # The first one reads the prompt; the others find it read.
    texts = [text_of(collect(ask(sampling=Sampling(seed=seed)))) for seed in (4, 5, 5, 6)]

    assert texts[1] == texts[2] != texts[3]


def test_a_suggestion_follows_its_grammar(
    collect: Ask, ask: Callable[..., GenerateRequest]
) -> None:
    grammar = suggestion_grammar("gardens", barred_initials="G")
    request = ask("Give one idea for a garden.", 120, grammar=grammar, sampling=Sampling(seed=1))

    suggestion = partial_suggestion(text_of(collect(request)))

    assert suggestion.title
    assert suggestion.title[0].upper() != "G"
    assert suggestion.text


def test_an_answer_follows_its_json_schema(
    collect: Ask, ask: Callable[..., GenerateRequest]
) -> None:
    schema = {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "blue"]}},
        "required": ["colour"],
        "additionalProperties": False,
    }

    text = text_of(collect(ask(max_tokens=40, json_schema=json.dumps(schema))))

    assert json.loads(text)["colour"] in ("red", "blue")


def test_a_stop_string_ends_the_text_and_is_not_part_of_it(
    collect: Ask, ask: Callable[..., GenerateRequest]
) -> None:
    grammar = 'root ::= "one two three"'

    events = collect(ask(grammar=grammar, stop=("two",)))

    assert text_of(events) == "one "


@pytest.mark.parametrize("count", [0, 3])
def test_each_token_comes_with_its_logprob(
    collect: Ask, ask: Callable[..., GenerateRequest], count: int
) -> None:
    deltas = [one for one in collect(ask(logprobs=count, max_tokens=4)) if isinstance(one, Delta)]
    tokens = [token for delta in deltas for token in delta.logprobs]

    assert len(tokens) == 4
    assert all(token.logprob <= 0 and len(token.top) == count for token in tokens)


CHAT = (Message("system", "Be brief."), Message("user", "Name a colour."))
CHAT_AS_TEXT = (
    "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nName a colour.<|im_end|>\n"
    "<|im_start|>assistant\n"
)


def test_a_raw_prompt_is_continued_as_it_is(
    collect: Ask, ask: Callable[..., GenerateRequest]
) -> None:
    greedy = Sampling(temperature=0)
    chat = collect(ask(messages=CHAT, sampling=greedy))
    raw = collect(ask(messages=(), prompt=CHAT_AS_TEXT, sampling=greedy))
    tokens = collect(ask(messages=(), prompt=(1, 2), sampling=greedy))

    assert isinstance(chat[-1], Finished)
    assert isinstance(raw[-1], Finished)
    assert isinstance(tokens[-1], Finished)
    assert text_of(raw) == text_of(chat)
    assert raw[-1].usage.prompt_tokens == chat[-1].usage.prompt_tokens
    assert tokens[-1].usage.prompt_tokens == 2


@pytest.mark.parametrize("count", [0, 3])
def test_each_token_after_a_raw_prompt_comes_with_its_logprob(
    collect: Ask, ask: Callable[..., GenerateRequest], count: int
) -> None:
    request = ask(messages=(), prompt="Once upon a", logprobs=count, max_tokens=4)

    deltas = [one for one in collect(request) if isinstance(one, Delta)]
    tokens = [token for delta in deltas for token in delta.logprobs]

    assert len(tokens) == 4
    assert all(token.logprob <= 0 and len(token.top) == count for token in tokens)


def test_the_answer_to_a_raw_prompt_follows_its_json_schema(
    collect: Ask, ask: Callable[..., GenerateRequest]
) -> None:
    schema = {"type": "array", "items": {"enum": [1, 2]}, "minItems": 2, "maxItems": 2}

    text = text_of(collect(ask(messages=(), prompt="1, 2, ", json_schema=json.dumps(schema))))

    assert len(json.loads(text)) == 2


def test_a_probe_gives_the_same_probabilities_each_time(
    collect: Ask, backend: RemoteBackend
) -> None:
    prompts = tuple(
        probe_messages("Tool shelf", "A shelf in the hall.", c) for c in DEFAULT_CRITERIA[:2]
    )
    name = backend.models()[0].name

    *_, first = collect(ProbeRequest("p1", name, prompts, PROBE_CHOICES))
    *_, second = collect(ProbeRequest("p2", name, prompts, PROBE_CHOICES))

    assert isinstance(first, Probabilities)
    assert isinstance(second, Probabilities)
    assert first.rows == second.rows
    assert [len(row) for row in first.rows] == [10] * 2
    assert all(0 < sum(row) <= 1 and min(row) > 0 for row in first.rows)


def test_a_prompt_that_does_not_fit_is_refused(
    collect: Ask, ask: Callable[..., GenerateRequest]
) -> None:
    with pytest.raises(PromptTooLong, match="1024"):
        collect(ask("garden " * 2000))


def test_a_broken_grammar_is_refused(collect: Ask, ask: Callable[..., GenerateRequest]) -> None:
    with pytest.raises(InvalidInput, match="grammar"):
        collect(ask(grammar="root ::= ["))


def test_the_error_without_embeddings_says_how_to_enable_them(
    collect: Ask, backend: RemoteBackend
) -> None:
    with pytest.raises(ModelUnavailable, match="--embeddings"):
        collect(EmbedRequest("e", backend.models()[0].name, "text"))


def test_closing_a_stream_frees_the_slot_of_the_server(
    runner: asyncio.Runner,
    backend: RemoteBackend,
    url: str,
    ask: Callable[..., GenerateRequest],
) -> None:
    async def scenario() -> None:
        async with httpx2.AsyncClient() as client:

            async def busy() -> int:
                slots = (await client.get(f"{url}/slots")).json()
                return sum(slot["is_processing"] for slot in slots)

            stream = backend.submit(ask(LONG, 900))
            while not isinstance(await anext(stream), Delta):
                pass
            assert await busy() == 1
            await stream.aclose()
            async for _ in ticks(2):
                if await busy() == 0 and backend.stats().running == 0:
                    return

    runner.run(scenario())


def test_two_requests_run_at_a_time_and_the_third_waits(
    runner: asyncio.Runner, backend: RemoteBackend, ask: Callable[..., GenerateRequest]
) -> None:
    async def drain(request: Request) -> list[Event]:
        return [event async for event in backend.submit(request)]

    async def scenario() -> list[list[Event]]:
        return await asyncio.gather(*(drain(ask(client=str(i))) for i in range(3)))

    answers = runner.run(scenario())

    assert [answer[0] for answer in answers] == [Started(0), Started(0), Queued(1)]
    assert all(isinstance(answer[-1], Finished) for answer in answers)


def test_the_whole_service_works_with_llama_server(url: str, tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path, engine_url=url, idea_bank=False))
    with TestClient(app, base_url="http://localhost") as client:
        deadline = time.monotonic() + START_S
        while next(iter(client.get("/readyz").json()["models"].values()))["state"] != "ready":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        asked = {"topic": "a greener balcony", "n": 1, "seed": 1}
        answer = client.post("/api/v1/brainstorm", json=asked)
        run = client.get(f"/api/v1/runs/{answer.json()['run_id']}").json()

    assert answer.status_code == 200
    assert len(answer.json()["suggestions"]) == 1
    assert run["weights_sha256"] == ""
    assert run["usage"]["completion_tokens"] > 20


def test_a_server_with_a_key_and_embeddings_is_used_with_the_key(
    runner: asyncio.Runner, small_path: Path
) -> None:
    async def embed(backend: RemoteBackend) -> list[Event]:
        await backend.start()
        await once_looked(backend)
        try:
            name = backend.models()[0].name
            return [event async for event in backend.submit(EmbedRequest("e", name, "text"))]
        finally:
            await backend.close()

    options = {"api_keys": ["right"], "embedding": True, "pooling_type": 1}
    with llama_server(small_path, **options) as url:
        *_, end = runner.run(embed(RemoteBackend(Address(url, "right"))))
        with pytest.raises(ModelUnavailable, match="IDEAPOOL_ENGINE_KEY"):
            runner.run(embed(RemoteBackend(Address(url, "wrong"))))

    assert isinstance(end, Embedding)
    assert len(end.vector) == 576
