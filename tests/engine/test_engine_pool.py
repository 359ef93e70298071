"""Several engines behind one backend: scripted servers that die, refuse, hang, differ and come back."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
import pytest

from service.app import create_app
from service.engine.remote import Address, RemoteBackend, http_client, pooled_engine
from service.engine.remote import backend as remote_backend
from service.engine.types import (
    Embedding,
    EmbedRequest,
    EngineState,
    EngineStatus,
    Event,
    Finished,
    Message,
    Probabilities,
    ProbeRequest,
    Queued,
    Started,
)
from service.errors import EngineBusy, EngineCrashed, InvalidInput, ModelUnavailable, ServiceError
from service.settings import Settings
from tests.support.app_server import served
from tests.support.engine_events import text_of
from tests.support.remote_requests import ask, drain, failure, remote, until
from tests.support.scripted_server import (
    CHATS,
    EMBEDDINGS,
    END,
    HELLO,
    MODELS,
    PATIENCE_S,
    STREAM_HEAD,
    TEXTS,
    Script,
    ScriptedServer,
    chunk,
    model_list,
    raw,
    reply,
    scripted,
    stream,
)

FULL = reply(503, {"error": "full"}, Retry_After="7")
FOREVER = 10 * PATIENCE_S


@asynccontextmanager
async def engines(
    *chats: Sequence[Script], **options: Any
) -> AsyncIterator[tuple[list[ScriptedServer], RemoteBackend]]:
    """A server for each list of answers to chats, and one backend for all of them."""
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(scripted()) for _ in chats]
        for server, answers in zip(servers, chats, strict=True):
            server.plays[CHATS] = answers
        urls = [server.url for server in servers]
        yield servers, await stack.enter_async_context(remote(*urls, **options))


def status_of(backend: RemoteBackend, server: ScriptedServer) -> EngineStatus:
    return next(one for one in backend.stats().engines if one.url == server.url)


def states(backend: RemoteBackend) -> list[EngineState]:
    return [one.state for one in backend.stats().engines]


def asked(servers: Sequence[ScriptedServer], target: str = CHATS) -> list[int]:
    return [len(server.asked(target)) for server in servers]


async def goes_away(server: ScriptedServer) -> None:
    server.listening.close()
    await server.listening.wait_closed()


async def comes_back(server: ScriptedServer) -> ScriptedServer:
    port = int(server.url.rpartition(":")[2])
    server.listening = await asyncio.start_server(server.serve, "127.0.0.1", port)
    return server


def test_requests_go_to_the_least_busy_engine(runner: asyncio.Runner) -> None:
    async def scenario() -> list[int]:
        go = asyncio.Event()
        answers = [stream(go, HELLO)]
        async with engines(answers, answers, answers) as (servers, backend):
            reading = [asyncio.create_task(drain(backend, ask(f"{n}"))) for n in range(6)]
            await until(lambda: sum(asked(servers)) == 6)
            go.set()
            assert [text_of(one) for one in await asyncio.gather(*reading)] == ["Hello"] * 6
            return asked(servers)

    assert runner.run(scenario()) == [2, 2, 2]


def test_an_engine_with_more_slots_gets_more_requests(runner: asyncio.Runner) -> None:
    async def scenario() -> tuple[list[int], int]:
        async with AsyncExitStack() as stack:
            servers = [await stack.enter_async_context(scripted()) for _ in range(2)]
            go = asyncio.Event()
            for server, slots in zip(servers, (6, 2), strict=True):
                server.plays |= {
                    MODELS: [model_list("m", owned_by="llamacpp")],
                    "GET /props": [reply(200, {"total_slots": slots})],
                    CHATS: [stream(go, HELLO)],
                }
            urls = [server.url for server in servers]
            backend = await stack.enter_async_context(remote(*urls))
            reading = [asyncio.create_task(drain(backend, ask(f"{n}"))) for n in range(9)]
            await until(lambda: sum(asked(servers)) == 8 and backend.stats().waiting == 1)
            counts = asked(servers)
            go.set()
            await asyncio.gather(*reading)
            return counts, backend.models()[0].slots

    assert runner.run(scenario()) == ([6, 2], 8)


def test_requests_with_the_same_beginning_go_to_the_same_engine(runner: asyncio.Runner) -> None:
    async def scenario() -> list[Counter[str]]:
        async with engines([stream(HELLO)], [stream(HELLO)]) as (servers, backend):
            for number in range(8):
                topic = "aabbbaab"[number] * 500
                await drain(backend, ask(f"{topic} {number}"))
            return [
                Counter(call.body["messages"][0]["content"][0] for call in server.asked())
                for server in servers
            ]

    found = runner.run(scenario())

    assert sorted(found, key=str) == [Counter(a=4), Counter(b=4)]


def test_an_engine_that_is_clearly_busier_loses_its_prompts(runner: asyncio.Runner) -> None:
    async def scenario() -> list[int]:
        go = asyncio.Event()
        answers = [stream(go, HELLO)]
        async with engines(answers, answers, slots=4) as (servers, backend):
            reading = [asyncio.create_task(drain(backend, ask("a" * 500))) for _ in range(4)]
            await until(lambda: sum(asked(servers)) == 4)
            go.set()
            await asyncio.gather(*reading)
            return sorted(asked(servers))

    assert runner.run(scenario()) == [2, 2]


NEVER_BEGUN: dict[str, Script] = {
    "reset": raw(resets=True),
    "after-the-head": raw(STREAM_HEAD, 0.05, resets=True),
    "status-500": reply(500, {"error": {"message": "oops"}}),
    "no-key": reply(401, {}),
    "full": FULL,
    "silent": raw(FOREVER),
}


@pytest.mark.parametrize("kind", NEVER_BEGUN)
def test_a_request_moves_on_if_its_answer_has_not_begun(runner: asyncio.Runner, kind: str) -> None:
    async def scenario() -> tuple[list[Event], EngineStatus]:
        good = [stream(HELLO)]
        async with engines([NEVER_BEGUN[kind]], good, stall_s=1) as (servers, backend):
            events = await drain(backend, ask())
            assert len(servers[1].asked()) == 1
            return events, status_of(backend, servers[0])

    events, first = runner.run(scenario())

    assert text_of(events) == "Hello"
    assert events.count(Started(0)) == 1
    assert not any(isinstance(one, Queued) for one in events)
    assert isinstance(events[-1], Finished)
    assert (first.moved, first.running) == (1, 0)
    assert first.error is not None
    assert first.failures == (kind != "full")


def test_an_answer_that_has_begun_is_never_moved(runner: asyncio.Runner) -> None:
    async def scenario() -> tuple[list[Event], ServiceError, list[int]]:
        bad, good = [stream(chunk("Hi"), 0.05, resets=True)], [stream(HELLO)]
        async with engines(bad, good) as (servers, backend):
            events: list[Event] = []

            async def read() -> None:
                async for event in backend.submit(ask()):
                    events.append(event)

            with pytest.raises(ServiceError) as raised:
                await read()
            return events, raised.value, asked(servers)

    events, error, calls = runner.run(scenario())

    assert text_of(events) == "Hi"
    assert type(error) is EngineCrashed
    assert calls == [1, 0]


def test_a_request_that_engines_crash_under_is_moved_once_only(runner: asyncio.Runner) -> None:
    async def scenario() -> tuple[ServiceError, int]:
        bad = [reply(500, {"error": "oops"})]
        async with engines(bad, bad, bad) as (servers, backend):
            return await failure(backend, ask()), sum(asked(servers))

    error, calls = runner.run(scenario())

    assert type(error) is EngineCrashed
    assert calls == 2


def test_a_refusal_by_all_has_the_shortest_time_to_wait(runner: asyncio.Runner) -> None:
    async def scenario() -> tuple[ServiceError, list[EngineState]]:
        full = [[reply(status, {}, Retry_After=wait)] for status, wait in ((503, "40"), (429, "9"))]
        async with engines(*full) as (_, backend):
            return await failure(backend, ask()), states(backend)

    error, found = runner.run(scenario())

    assert isinstance(error, EngineBusy)
    assert 1 <= error.retry_after_s <= 9
    assert "All engines are busy" in error.detail
    assert found == ["busy", "busy"]


def test_every_engine_is_asked_before_a_request_is_refused(runner: asyncio.Runner) -> None:
    async def scenario() -> tuple[list[Event], list[int]]:
        async with engines([FULL], [FULL], [FULL], [FULL], [stream(HELLO)]) as (servers, backend):
            return await drain(backend, ask()), asked(servers)

    events, calls = runner.run(scenario())

    assert text_of(events) == "Hello"
    assert calls == [1, 1, 1, 1, 1]


def test_a_request_moves_twice_at_most_from_engines_that_are_gone(runner: asyncio.Runner) -> None:
    async def scenario() -> tuple[ServiceError, int]:
        async with engines(*[[stream(HELLO)]] * 5) as (servers, backend):
            for server in servers[:4]:
                await goes_away(server)
            error = await failure(backend, ask())
            return error, len(servers[4].asked())

    error, answered = runner.run(scenario())

    assert isinstance(error, ModelUnavailable)
    assert answered == 0


def test_a_busy_engine_is_left_alone_as_long_as_it_said(runner: asyncio.Runner) -> None:
    async def scenario() -> tuple[list[int], int, int]:
        async with engines([FULL], [stream(HELLO)], slots=4) as (servers, backend):
            for number in range(5):
                await drain(backend, ask(str(number)))
            await until(lambda: backend.stats().running == 0)
            return asked(servers), backend.models()[0].slots, status_of(backend, servers[0]).moved

    assert runner.run(scenario()) == ([1, 5], 4, 1)


def test_a_request_error_is_not_moved(runner: asyncio.Runner) -> None:
    async def scenario() -> tuple[ServiceError, list[int]]:
        refuses = [reply(400, {"error": {"message": "no"}})]
        async with engines(refuses, [stream(HELLO)]) as (servers, backend):
            return await failure(backend, ask()), asked(servers)

    error, calls = runner.run(scenario())

    assert isinstance(error, InvalidInput)
    assert calls == [1, 0]


def test_an_engine_that_went_away_comes_back(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_backend, "FAILED_CHECK_S", 0.05)
    monkeypatch.setattr(pooled_engine, "FRESH_S", 0.0)

    async def scenario() -> list[EngineState]:
        async with engines([stream(HELLO)], [stream(HELLO)], slots=2) as (servers, backend):
            first = servers[0]
            found = []
            await goes_away(first)
            assert [text_of(await drain(backend, ask(str(n)))) for n in range(3)] == ["Hello"] * 3
            found.append(status_of(backend, first).state)
            assert backend.models()[0].state == "ready"
            assert backend.models()[0].slots == 2
            await comes_back(first)
            await until(lambda: status_of(backend, first).state == "trial")
            found.append(status_of(backend, first).state)
            # With one request on trial, the other engine has all others.
            await until(lambda: backend.models()[0].slots == 3)
            await drain(backend, ask("again"))
            await drain(backend, ask("and again"))
            found.append(status_of(backend, first).state)
            assert backend.models()[0].slots == 4
            await goes_away(first)
            return found

    assert runner.run(scenario()) == ["failed", "trial", "ready"]


def test_an_engine_that_keeps_failing_is_asked_less_and_less(runner: asyncio.Runner) -> None:
    async def scenario() -> tuple[int, int]:
        bad = [reply(500, {"error": "oops"})]
        async with engines(bad, [stream(HELLO)]) as (servers, backend):
            for number in range(30):
                assert text_of(await drain(backend, ask(str(number)))) == "Hello"
            return len(servers[0].asked()), len(servers[1].asked())

    failed, answered = runner.run(scenario())

    # The check of the server succeeds each time; only its answers fail.
    assert failed <= 5
    assert answered == 30


def test_a_check_that_hangs_does_not_hold_up_the_other_engine(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_client, "GET_S", 0.3)

    async def scenario() -> tuple[list[EngineState], list[Event]]:
        async with AsyncExitStack() as stack:
            slow = await stack.enter_async_context(scripted())
            slow.plays[MODELS] = [raw(FOREVER)]
            good = await stack.enter_async_context(scripted())
            backend = await stack.enter_async_context(remote(slow.url, good.url))
            return states(backend), await drain(backend, ask())

    found, events = runner.run(scenario())

    assert found == ["failed", "ready"]
    assert text_of(events) == "Hello"


async def serving(stack: AsyncExitStack, **plays: Script) -> ScriptedServer:
    server = await stack.enter_async_context(scripted())
    names = {"models": MODELS, "embeddings": EMBEDDINGS, "texts": TEXTS, "chats": CHATS}
    server.plays |= {names[name]: [script] for name, script in plays.items()}
    return server


def llama(model: str, size: int) -> Script:
    return model_list(model, owned_by="llamacpp", meta={"n_ctx": 512, "n_embd": size})


DIFFERENT: dict[str, tuple[Script, Script, str]] = {
    "name": (model_list("m"), model_list("other"), "it serves other, and the others serve m"),
    "size": (llama("m", 64), llama("m", 96), "its embeddings have 96 numbers"),
}


@pytest.mark.parametrize("kind", DIFFERENT)
def test_an_engine_with_another_model_is_left_out_and_named(
    runner: asyncio.Runner, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    caplog.set_level(logging.ERROR)
    first, second, said = DIFFERENT[kind]

    async def scenario() -> tuple[RemoteBackend, list[int]]:
        async with AsyncExitStack() as stack:
            servers = [
                await serving(stack, models=first),
                await serving(stack, models=second),
                await serving(stack, models=first),
            ]
            backend = await stack.enter_async_context(remote(*(one.url for one in servers)))
            await asyncio.gather(*(drain(backend, ask(str(n))) for n in range(6)))
            return backend, asked(servers)

    backend, calls = runner.run(scenario())
    different = backend.stats().engines[1]

    assert calls == [3, 0, 3]
    assert different.state == "different"
    assert different.error is not None
    assert said in different.error
    assert different.url in different.error
    assert said in caplog.text
    assert backend.models()[0].name == "m"
    assert backend.models()[0].state == "ready"


def test_the_models_may_change_together(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_backend, "READY_CHECK_S", 0.05)
    monkeypatch.setattr(pooled_engine, "FRESH_S", 0.0)

    async def scenario() -> list[EngineState]:
        async with AsyncExitStack() as stack:
            servers = [await serving(stack, models=model_list("m")) for _ in range(2)]
            backend = await stack.enter_async_context(remote(*(one.url for one in servers)))
            servers[0].plays[MODELS] = [model_list("n")]
            await until(lambda: states(backend) == ["different", "ready"])
            assert backend.models()[0].name == "m"
            servers[1].plays[MODELS] = [model_list("n")]
            await until(lambda: states(backend) == ["ready", "ready"])
            assert text_of(await drain(backend, ask(model="n"))) == "Hello"
            return states(backend)

    assert runner.run(scenario()) == ["ready", "ready"]


def vector(*numbers: float) -> Script:
    return reply(200, {"data": [{"object": "embedding", "index": 0, "embedding": numbers}]})


def test_an_engine_whose_embeddings_have_another_size_is_left_out(runner: asyncio.Runner) -> None:
    async def scenario() -> tuple[list[int], list[EngineState]]:
        async with AsyncExitStack() as stack:
            servers = [
                await serving(stack, embeddings=vector(1, 2)),
                await serving(stack, embeddings=vector(1, 2, 3)),
            ]
            backend = await stack.enter_async_context(remote(*(one.url for one in servers)))
            sizes = []
            for number in range(4):
                *_, end = await drain(backend, EmbedRequest(f"e{number}", "m", "text"))
                assert isinstance(end, Embedding)
                sizes.append(len(end.vector))
            return sizes, states(backend)

    assert runner.run(scenario()) == ([2, 2, 2, 2], ["ready", "different"])


def test_an_engine_is_used_for_what_it_can_do(runner: asyncio.Runner) -> None:
    scored = reply(
        200,
        {
            "choices": [
                {
                    "index": 0,
                    "logprobs": {
                        "content": [
                            {
                                "token": "a",
                                "logprob": 0.0,
                                "top_logprobs": [{"token": "a", "logprob": 0.0}],
                            }
                        ]
                    },
                }
            ]
        },
    )

    async def scenario() -> list[tuple[int, ...]]:
        async with AsyncExitStack() as stack:
            poor = await serving(stack, chats=reply(200, {"choices": [{"index": 0}]}))
            rich = await serving(stack, embeddings=vector(1, 2), texts=stream(HELLO), chats=scored)
            backend = await stack.enter_async_context(remote(poor.url, rich.url))
            prompts = ((Message("user", "one"),),)
            for number in range(3):
                *_, vectors = await drain(backend, EmbedRequest(f"e{number}", "m", "text"))
                assert isinstance(vectors, Embedding)
                assert text_of(await drain(backend, ask(messages=(), prompt="Say:"))) == "Hello"
                *_, row = await drain(backend, ProbeRequest(f"p{number}", "m", prompts, ("a", "b")))
                assert isinstance(row, Probabilities)
            # What an engine lacks is no failure of it.
            assert states(backend) == ["ready", "ready"]
            for server in (poor, rich):
                server.plays[CHATS] = [stream(HELLO)]
            await asyncio.gather(*(drain(backend, ask(str(n))) for n in range(4)))
            return [
                tuple(len(server.asked(target)) for target in (EMBEDDINGS, TEXTS, CHATS))
                for server in (poor, rich)
            ]

    poor, rich = runner.run(scenario())

    assert all(calls <= 1 for calls in poor[:2])
    assert rich[:2] == (3, 3)
    assert poor[2] >= 2


def test_with_no_engine_left_the_error_names_them_all(runner: asyncio.Runner) -> None:
    async def scenario() -> tuple[list[str], ServiceError, str]:
        async with AsyncExitStack() as stack:
            servers = [await serving(stack) for _ in range(2)]
            urls = [server.url for server in servers]
            for server in servers:
                await goes_away(server)
            backend = await stack.enter_async_context(remote(*urls))
            return urls, await failure(backend, ask()), backend.models()[0].state

    urls, error, state = runner.run(scenario())

    assert isinstance(error, ModelUnavailable)
    assert all(url in error.detail for url in urls)
    assert state == "failed"


def test_each_engine_gets_its_own_key(runner: asyncio.Runner) -> None:
    async def scenario() -> list[set[str]]:
        async with AsyncExitStack() as stack:
            servers = [await serving(stack) for _ in range(2)]
            backend = RemoteBackend(
                *(Address(server.url, f"key-{n}") for n, server in enumerate(servers))
            )
            await backend.start()
            stack.push_async_callback(backend.close)
            await until(lambda: backend.models()[0].state == "ready")
            await asyncio.gather(*(drain(backend, ask(str(n))) for n in range(2)))
            return [{call.headers["authorization"] for call in one.calls} for one in servers]

    assert runner.run(scenario()) == [{"Bearer key-0"}, {"Bearer key-1"}]


def test_cancelling_frees_the_place_at_its_engine(runner: asyncio.Runner) -> None:
    async def scenario() -> list[int]:
        silent = [stream(chunk("Hi"), FOREVER)]
        async with engines(silent, silent, slots=1) as (servers, backend):
            reading = [asyncio.create_task(drain(backend, ask(str(n)))) for n in range(3)]
            await until(lambda: asked(servers) == [1, 1] and backend.stats().waiting == 1)
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)
            await until(lambda: not backend.stats().running)
            return [one.running for one in backend.stats().engines]

    assert runner.run(scenario()) == [0, 0]


def test_moved_requests_wait_for_a_place_at_the_other_engine(runner: asyncio.Runner) -> None:
    async def scenario() -> tuple[list[str], int]:
        dies = asyncio.Event()
        bad, good = [raw(dies, resets=True)], [stream(chunk("Hel"), 0.02, chunk("lo") + END)]
        async with engines(bad, good, slots=2) as (servers, backend):
            reading = [asyncio.create_task(drain(backend, ask(str(n)))) for n in range(4)]
            await until(lambda: asked(servers) == [2, 2])
            await goes_away(servers[0])
            dies.set()
            answers = await asyncio.gather(*reading)
            return [text_of(one) for one in answers], servers[1].peak

    answers, peak = runner.run(scenario())

    assert answers == ["Hello"] * 4
    assert peak == 2


def test_a_client_of_a_board_gets_the_shortest_time_to_wait(
    runner: asyncio.Runner, migrated: Settings
) -> None:
    async def scenario() -> httpx2.Response:
        full = [[reply(503, {}, Retry_After=wait)] for wait in ("40", "9")]
        async with engines(*full) as (servers, _):
            urls = ",".join(server.url for server in servers)
            app = create_app(migrated.model_copy(update={"engine_url": urls, "engine_model": "m"}))
            with served(app) as url:
                async with httpx2.AsyncClient(base_url=url, timeout=PATIENCE_S) as client:
                    said = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
                    return await client.post("/v1/chat/completions", json=said)

    answer = runner.run(scenario())

    assert answer.status_code == 503
    assert 1 <= int(answer.headers["retry-after"]) <= 9
