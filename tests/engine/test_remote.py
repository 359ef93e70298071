"""The remote backend against scripted servers, which may send or do anything."""

import asyncio
import contextlib
import gc
import itertools
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import httpcore2
import pytest

from service.app import create_app
from service.engine.remote import RemoteBackend
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
    Sampling,
    ScoreRequest,
    Started,
    TokenLogprob,
    Usage,
)
from service.errors import (
    DeadlineExceeded,
    EngineBusy,
    EngineCrashed,
    InvalidInput,
    ModelUnavailable,
    PromptTooLong,
    ServiceError,
)
from service.settings import Settings
from tests.support.app_server import served
from tests.support.engine_events import text_of
from tests.support.fake_backend import FakeBackend
from tests.support.remote_requests import (
    PROMPT,
    ask,
    drain,
    failure,
    remote,
    until,
)
from tests.support.scripted_server import (
    CHATS,
    DONE,
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
    event,
    model_list,
    raw,
    reply,
    scripted,
    stream,
)
from tests.support.timing import quickest

KEY = "sk-very-secret"
# The first look at a server must be done within it, too.
STALL_S = 1.0
# Longer than anyone here waits.
FOREVER = 10 * PATIENCE_S
HEAD_OF_A_PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 99\r\n\r\n"
_numbers = itertools.count()


def probe(*choices: str) -> ProbeRequest:
    prompts = ((Message("user", "one"),), (Message("user", "two"),))
    return ProbeRequest(f"p{next(_numbers)}", "m", prompts, choices)


@asynccontextmanager
async def engine(
    *answers: Script, **options: Any
) -> AsyncIterator[tuple[ScriptedServer, RemoteBackend]]:
    """A server that gives these answers to chats, one after the other, and a backend for it."""
    async with scripted() as server:
        if answers:
            server.plays[CHATS] = answers
        async with remote(server.url, **options) as backend:
            yield server, backend


async def answer_of(*answers: Script, **options: Any) -> list[Event]:
    async with engine(*answers, **options) as (_, backend):
        return await drain(backend, ask())


async def failure_of(*answers: Script, **options: Any) -> ServiceError:
    async with engine(*answers, **options) as (_, backend):
        return await failure(backend, ask())


def test_an_answer_has_a_start_its_deltas_and_an_end(runner: asyncio.Runner) -> None:
    started, *pieces, end = runner.run(answer_of(stream(chunk("Hel"), 0.05, chunk("lo") + END)))

    assert started == Started(0)
    assert pieces == [Delta("Hel"), Delta("lo")]
    assert isinstance(end, Finished)
    assert (end.reason, end.usage.cached_tokens) == ("stop", 4)
    assert (end.usage.prompt_tokens, end.usage.completion_tokens) == (9, 2)
    assert 0 < end.usage.prompt_s < 5


def test_an_answer_may_arrive_byte_by_byte(runner: asyncio.Runner) -> None:
    whole = b": ping\n\n" + chunk("ü 😀") + b":\r\n\r\n" + chunk(" 好") + END

    events = runner.run(answer_of(stream(*(bytes([byte]) for byte in whole))))

    assert text_of(events) == "ü 😀 好"


@pytest.mark.parametrize(
    "last", [chunk(reason="length"), chunk(reason="length") + DONE, chunk("!", reason="length")]
)
def test_an_answer_is_complete_once_it_has_its_finish_reason(
    runner: asyncio.Runner, last: bytes
) -> None:
    *_, end = runner.run(answer_of(stream(chunk("Hi") + last)))

    assert isinstance(end, Finished)
    assert end.reason == "length"
    assert replace(end.usage, prompt_s=0, completion_s=0) == Usage()


@pytest.mark.parametrize("answer", [stream(HELLO, FOREVER), raw(HEAD_OF_A_PAGE, FOREVER)])
def test_the_connection_is_closed_after_the_answer(runner: asyncio.Runner, answer: Script) -> None:
    async def scenario() -> float:
        async with engine(answer, stall_s=FOREVER) as (server, backend):
            with contextlib.suppress(EngineCrashed):
                await drain(backend, ask())
            began = time.monotonic()
            await asyncio.wait_for(server.asked()[0].left.wait(), PATIENCE_S)
            return time.monotonic() - began

    assert quickest(lambda: runner.run(scenario()), 1) < 1


@pytest.mark.parametrize("resets", [True, False])
def test_a_failure_after_the_end_does_not_harm_the_answer(
    runner: asyncio.Runner, resets: bool
) -> None:
    ended = chunk("Hi") + chunk(reason="stop")
    rest: tuple[bytes | float, ...] = (b"data: {", 0.05) if resets else (FOREVER,)
    began = time.monotonic()

    events = runner.run(answer_of(stream(ended, *rest, resets=resets)))

    assert text_of(events) == "Hi"
    assert time.monotonic() - began < 4


BROKEN: dict[str, Script] = {
    "ends": stream(chunk("Hi")),
    "done-without-end": stream(chunk("Hi") + DONE),
    "reset": stream(chunk("Hi"), 0.05, resets=True),
    "silence": stream(chunk("Hi"), FOREVER),
    "silence-from-the-start": raw(FOREVER),
    "silence-in-the-headers": raw(STREAM_HEAD[:30], FOREVER),
    "garbage": stream(chunk("Hi") + b"data: {]\n\n"),
    "error": stream(chunk("Hi") + event({"error": {"message": "out of memory", "code": 500}})),
    "endless-event": stream(*[b"data: " + b"x" * 100_000] * 12),
    "endless-answer": stream(*[chunk("x" * 50)] * 1000, FOREVER),
    "wrong-end": stream(chunk("Hi") + chunk(reason="content_filter") + DONE),
    "cut-chunk": raw(
        STREAM_HEAD.replace(b"Connection: close", b"Transfer-Encoding: chunked"),
        b"20\r\n" + chunk("Hi"),
    ),
    "no-http": raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "page": reply(200, "<html>Welcome</html>"),
    "status-500": reply(500, {"error": {"message": "oops"}}),
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_answer_is_reported_within_bounded_time(
    runner: asyncio.Runner, answer: Script
) -> None:
    began = time.monotonic()

    error = runner.run(failure_of(answer, stall_s=STALL_S))

    assert type(error) is EngineCrashed
    assert error.detail.startswith("The engine at http://127.0.0.1:")
    assert time.monotonic() - began < 7 * STALL_S


REFUSALS: dict[str, tuple[Script, type[ServiceError], str]] = {
    "full": (reply(503, {"error": "full"}, Retry_After="7"), EngineBusy, "full.*7 s"),
    "limit": (reply(429, {"error": {"message": "slow down"}}), EngineBusy, "slow down"),
    "context": (
        reply(400, {"error": {"message": "m", "type": "exceed_context_size_error"}}),
        PromptTooLong,
        "too long",
    ),
    "grammar": (reply(400, {"error": {"message": "no grammar"}}), InvalidInput, "no grammar"),
    "model": (reply(404, {"error": {"message": "no such model"}}), ModelUnavailable, "such model"),
    "key": (reply(401, {"error": {"message": "key"}}), ModelUnavailable, "IDEAPOOL_ENGINE_KEY"),
    "moved": (reply(307, "", Location="http://127.0.0.1:1/"), ModelUnavailable, "status 307"),
    "as-event": (
        stream(event({"error": {"message": "context length is 8", "code": 400}})),
        PromptTooLong,
        "context length",
    ),
}


@pytest.mark.parametrize(("answer", "kind", "said"), REFUSALS.values(), ids=REFUSALS.keys())
def test_an_error_quotes_the_servers_message(
    runner: asyncio.Runner, answer: Script, kind: type[ServiceError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        raise runner.run(failure_of(answer))


def test_a_busy_server_says_when_to_retry(runner: asyncio.Runner) -> None:
    error = runner.run(failure_of(reply(503, {}, Retry_After="7")))

    assert isinstance(error, EngineBusy)
    assert error.retry_after_s == 7


def test_a_request_is_sent_again_if_the_connection_is_lost_before_the_answer(
    runner: asyncio.Runner,
) -> None:
    async def scenario() -> tuple[list[Event], int]:
        async with engine(raw(resets=True), stream(HELLO)) as (server, backend):
            return await drain(backend, ask()), len(server.asked())

    events, calls = runner.run(scenario())

    assert text_of(events) == "Hello"
    assert calls == 2


@pytest.mark.parametrize(
    ("answer", "calls"),
    [
        (raw(resets=True), 2),
        (stream(chunk("Hi"), 0.05, resets=True), 1),
        (reply(503, {}), 1),
        (raw(FOREVER), 1),
    ],
    ids=["lost", "begun", "busy", "silent"],
)
def test_other_failures_are_not_retried(runner: asyncio.Runner, answer: Script, calls: int) -> None:
    async def scenario() -> int:
        async with engine(answer, stall_s=STALL_S) as (server, backend):
            await failure(backend, ask())
            return len(server.asked())

    assert runner.run(scenario()) == calls


async def close_stream(backend: RemoteBackend, request: GenerateRequest, _: ScriptedServer) -> None:
    stream = backend.submit(request)
    await anext(stream)
    await stream.aclose()


async def cancel_by_id(
    backend: RemoteBackend, request: GenerateRequest, server: ScriptedServer
) -> None:
    reading = asyncio.create_task(drain(backend, request))
    await server.until(1)
    await backend.cancel(request.id)
    assert not any(isinstance(one, Finished) for one in await reading)


async def cancel_reader(
    backend: RemoteBackend, request: GenerateRequest, server: ScriptedServer
) -> None:
    reading = asyncio.create_task(drain(backend, request))
    await server.until(1)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


async def miss_deadline(
    backend: RemoteBackend, request: GenerateRequest, _: ScriptedServer
) -> None:
    with pytest.raises(DeadlineExceeded):
        await drain(backend, replace(request, timeout_s=1))


async def close_backend(
    backend: RemoteBackend, request: GenerateRequest, server: ScriptedServer
) -> None:
    reading = asyncio.create_task(drain(backend, request))
    await server.until(1)
    await backend.close()
    await reading


Leave = Callable[[RemoteBackend, GenerateRequest, ScriptedServer], Awaitable[None]]
UNDER_WAY = stream(chunk("Hi"), FOREVER)
SILENT = raw(FOREVER)


@pytest.mark.parametrize(
    ("leave", "answer"),
    [
        (close_stream, UNDER_WAY),
        *itertools.product(
            (cancel_by_id, cancel_reader, miss_deadline, close_backend), (UNDER_WAY, SILENT)
        ),
    ],
)
def test_cancelling_closes_the_connection_within_a_second(
    runner: asyncio.Runner, leave: Leave, answer: Script
) -> None:
    async def scenario() -> float:
        async with engine(answer) as (server, backend):
            await leave(backend, ask(), server)
            began = time.monotonic()
            call = server.asked()[0]
            await until(lambda: call.left.is_set() and not backend.stats().running)
            took_s = time.monotonic() - began
            assert backend.stats().waiting == 0
            return took_s

    assert quickest(lambda: runner.run(scenario()), 1) < 1


def test_cancelling_at_any_moment_leaves_nothing_behind(runner: asyncio.Runner) -> None:
    async def read(backend: RemoteBackend, deltas: int) -> None:
        async with aclosing(backend.submit(ask())) as events:
            async for event in events:
                deltas -= isinstance(event, Delta)
                if deltas < 0:
                    return

    def connections() -> int:
        gc.collect()
        # Not isinstance: it looks into every object, and some of other libraries' warn of that.
        return sum(type(one) is httpcore2.AsyncHTTPConnection for one in gc.get_objects())

    async def come_and_go(backend: RemoteBackend) -> None:
        reading = [asyncio.create_task(read(backend, number % 3)) for number in range(60)]
        for reader in reading[::4]:
            await asyncio.sleep(0.003)
            reader.cancel()
        await asyncio.gather(*reading, return_exceptions=True)

    async def scenario() -> None:
        answer = stream(chunk("a"), 0.001, chunk("b") + END)
        async with engine(answer, queue_limit=60) as (server, backend):
            before = connections()
            await come_and_go(backend)
            await until(lambda: not server.running and not backend.stats().running)
            await until(lambda: connections() <= before)

    runner.run(scenario())


def test_no_more_requests_are_sent_at_a_time_than_there_are_slots(runner: asyncio.Runner) -> None:
    async def scenario() -> tuple[int, list[list[Event]]]:
        async with engine(stream(0.05, HELLO), slots=2) as (server, backend):
            asking = (drain(backend, ask(client=str(i))) for i in range(5))
            answers = await asyncio.gather(*asking)
            return server.peak, answers

    peak, answers = runner.run(scenario())

    assert peak == 2
    assert [text_of(one) for one in answers] == ["Hello"] * 5
    assert answers[0][0] == Started(0)
    assert [answers[i][0] for i in (2, 3, 4)] == [Queued(1), Queued(2), Queued(3)]


def test_a_full_queue_refuses_and_says_when_to_retry(runner: asyncio.Runner) -> None:
    async def scenario() -> ServiceError:
        async with engine(SILENT, slots=1, queue_limit=2) as (server, backend):
            readers = [asyncio.create_task(drain(backend, ask())) for _ in range(2)]
            await server.until(1)
            error = await failure(backend, ask())
            for reader in readers:
                reader.cancel()
            return error

    error = runner.run(scenario())

    assert isinstance(error, EngineBusy)
    assert error.retry_after_s >= 1


def test_a_request_cancelled_while_it_waits_is_never_sent(runner: asyncio.Runner) -> None:
    async def scenario() -> int:
        is_left = asyncio.Event()
        async with engine(stream(is_left, HELLO), slots=1) as (server, backend):
            first = asyncio.create_task(drain(backend, ask()))
            await server.until(1)
            await miss_deadline(backend, ask(), server)
            is_left.set()
            assert text_of(await first) == "Hello"
            assert (backend.stats().running, backend.stats().waiting) == (0, 0)
            return len(server.asked())

    assert runner.run(scenario()) == 1


def test_two_requests_cannot_have_the_same_id_at_once(runner: asyncio.Runner) -> None:
    async def scenario() -> ServiceError:
        async with engine(SILENT) as (server, backend):
            reading = asyncio.create_task(drain(backend, ask(id="twin")))
            await server.until(1)
            error = await failure(backend, ask(id="twin"))
            reading.cancel()
            return error

    assert isinstance(runner.run(scenario()), InvalidInput)


def test_neither_key_nor_prompt_gets_into_the_log_or_an_error(
    runner: asyncio.Runner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def scenario() -> str:
        answers = (stream(HELLO), stream(chunk(PROMPT) + b"data: {\n\n"), reply(401, {}))
        async with engine(*answers, key=KEY) as (server, backend):
            await drain(backend, ask())
            errors = [await failure(backend, ask()) for _ in range(2)]
            assert {call.headers["authorization"] for call in server.calls} == {f"Bearer {KEY}"}
            return " ".join(error.detail for error in errors)

    output = runner.run(scenario()) + caplog.text

    assert "The engine at" in output
    assert KEY not in output
    assert PROMPT not in output


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/"])
def test_the_url_may_end_in_v1(runner: asyncio.Runner, ending: str) -> None:
    async def scenario() -> list[Event]:
        async with scripted() as server, remote(server.url + ending) as backend:
            return await drain(backend, ask())

    assert text_of(runner.run(scenario())) == "Hello"


def test_proxies_of_the_environment_are_ignored(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert text_of(runner.run(answer_of())) == "Hello"


async def after_looking(server: ScriptedServer, **options: Any) -> RemoteBackend:
    async with remote(server.url, **options) as backend:
        return backend


KINDS: dict[str, tuple[dict[str, Script], dict[str, Any], tuple[int, int]]] = {
    "llama-server": (
        {
            MODELS: model_list("m", owned_by="llamacpp", meta={"n_ctx": 512}),
            "GET /props": reply(200, {"total_slots": 3}),
        },
        {"grammar": "g", "top_k": 40},
        (512, 3),
    ),
    "vllm": (
        {
            MODELS: model_list("m", owned_by="vllm", max_model_len=4096),
            "GET /version": reply(200, {"version": "0.33.0"}),
        },
        {"structured_outputs": {"grammar": "g"}, "repetition_penalty": 1.0},
        (4096, 8),
    ),
    "old-vllm": (
        {
            MODELS: model_list("m", owned_by="vllm", max_model_len=4096),
            "GET /version": reply(200, {"version": "0.10.1"}),
        },
        {"guided_grammar": "g", "top_k": 40},
        (4096, 8),
    ),
    "ollama": (
        {
            MODELS: model_list("m:latest", owned_by="library"),
            "GET /api/version": reply(200, {"version": "0.17.1"}),
        },
        {"model": "m"},
        (0, 8),
    ),
    "ideapool": ({MODELS: model_list("m", owned_by="ideapool")}, {"grammar": "g"}, (0, 8)),
    "other": ({MODELS: model_list("m")}, {"model": "m"}, (0, 8)),
    "chats-only": ({MODELS: reply(404, {})}, {"model": "m"}, (0, 8)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_server_gets_its_own_fields(
    runner: asyncio.Runner, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    plays, fields, (context, slots) = KINDS[kind]

    async def scenario() -> tuple[dict[str, Any], RemoteBackend]:
        async with scripted() as server:
            server.plays |= {target: [script] for target, script in plays.items()}
            async with remote(server.url, model="m") as backend:
                await drain(backend, ask(grammar="g"))
            return server.asked()[0].body, backend

    body, backend = runner.run(scenario())
    takes_grammar = kind in ("llama-server", "vllm", "old-vllm", "ideapool")

    assert body.items() >= fields.items()
    assert any("gramma" in key or "structured" in key for key in body) == takes_grammar
    assert ("takes no grammars" not in caplog.text) == takes_grammar
    assert (backend.models()[0].context, backend.models()[0].slots) == (context, slots)


def test_a_server_without_grammars_is_logged_once(
    runner: asyncio.Runner, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with engine(stream(chunk("Hi"))) as (server, backend):
            # After a broken answer the server is looked at again.
            await failure(backend, ask(grammar="g"))
            await server.until(2, "GET /api/version")
            server.plays[CHATS] = [stream(HELLO)]
            await drain(backend, ask())

    runner.run(scenario())

    assert caplog.text.count("takes no grammars") == 1


def test_the_model_of_a_server_has_all_roles_and_no_hash(runner: asyncio.Runner) -> None:
    async def scenario() -> RemoteBackend:
        async with scripted() as server:
            return await after_looking(server)

    backend = runner.run(scenario())
    (info,) = backend.models()

    assert backend.model_for("brainstorm") == backend.model_for("general") == info
    assert (info.name, info.weights_sha256, info.adapter_sha256) == ("m", "", None)
    assert info.identity is None
    assert (info.state, info.progress, info.error) == ("ready", 1.0, None)
    assert (backend.stats().process_id, backend.stats().restarts) == (None, 0)


UNUSABLE: dict[str, tuple[Script, dict[str, Any], str, str]] = {
    "several": (model_list("a", "b"), {}, "failed", "a, b.*IDEAPOOL_ENGINE_MODEL"),
    "unknown": (model_list("a", "b"), {"model": "c"}, "failed", "no model 'c'.*a, b"),
    "none": (model_list(), {}, "failed", "no models"),
    "page": (reply(200, "<html>"), {}, "failed", "IDEAPOOL_ENGINE_URL"),
    "nothing": (reply(404, {}), {}, "failed", "no models"),
    "key": (reply(403, {}), {}, "failed", "IDEAPOOL_ENGINE_KEY"),
    "loading": (reply(503, {"error": {"message": "Loading model"}}), {}, "loading", "moment"),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_the_error_for_an_unusable_server_says_what_to_do(
    runner: asyncio.Runner, kind: str
) -> None:
    models, options, state, said = UNUSABLE[kind]

    async def scenario() -> RemoteBackend:
        async with scripted() as server:
            server.plays[MODELS] = [models]
            async with remote(server.url, **options) as backend:
                with pytest.raises(ModelUnavailable, match=said):
                    await drain(backend, ask(model="c"))
                return backend

    backend = runner.run(scenario())

    assert backend.models()[0].state == state
    if not options:
        with pytest.raises(ModelUnavailable, match=said):
            backend.model_for("general")


def test_one_of_several_models_can_be_chosen(runner: asyncio.Runner) -> None:
    async def scenario() -> Any:
        async with scripted() as server:
            server.plays[MODELS] = [model_list("a", "m")]
            async with remote(server.url, model="m") as backend:
                await drain(backend, ask())
            return server.asked()[0].body

    assert runner.run(scenario())["model"] == "m"


def test_a_request_for_another_model_is_refused_without_asking_the_server(
    runner: asyncio.Runner,
) -> None:
    async def scenario() -> tuple[ServiceError, int]:
        async with engine() as (server, backend):
            return await failure(backend, ask(model="other")), len(server.asked())

    error, calls = runner.run(scenario())

    assert isinstance(error, ModelUnavailable)
    assert "The engine serves m" in error.detail
    assert calls == 0


def test_a_server_that_starts_later_is_used_at_once(runner: asyncio.Runner) -> None:
    async def scenario() -> tuple[ServiceError, str | None, list[Event]]:
        async with scripted() as server:
            url = server.url
        async with remote(url, model="m") as backend:
            error = await failure(backend, ask())
            reported = backend.models()[0].error
            await asyncio.sleep(1.1)
            port = int(url.rpartition(":")[2])
            async with await asyncio.start_server(ScriptedServer().serve, "127.0.0.1", port):
                return error, reported, await drain(backend, ask())

    error, reported, events = runner.run(scenario())

    assert isinstance(error, ModelUnavailable)
    assert "http://127.0.0.1:" in error.detail
    assert reported == error.detail
    assert text_of(events) == "Hello"


def test_a_server_that_goes_away_is_noticed(runner: asyncio.Runner) -> None:
    async def scenario() -> tuple[ServiceError, str]:
        async with scripted() as server, remote(server.url) as backend:
            await drain(backend, ask())
            server.listening.close()
            error = await failure(backend, ask())
            await until(lambda: backend.models()[0].state != "ready")
            return error, backend.models()[0].state

    error, state = runner.run(scenario())

    assert isinstance(error, ModelUnavailable)
    assert "cannot be reached" in error.detail
    assert state == "failed"


def probe_answer(**shares: float) -> Script:
    top = [{"token": text, "logprob": share} for text, share in shares.items()]
    logprobs = {"content": [{**top[0], "top_logprobs": top}]}
    usage = {"prompt_tokens": 7, "completion_tokens": 1}
    return reply(200, {"choices": [{"index": 0, "logprobs": logprobs}], "usage": usage})


def test_a_probe_asks_one_prompt_after_the_other(runner: asyncio.Runner) -> None:
    async def scenario() -> tuple[list[Event], list[Any]]:
        async with engine(probe_answer(a=-0.01, b=-4.7), probe_answer(b=0.0)) as (server, backend):
            events = await drain(backend, probe("a", "b"))
            return events, [call.body["messages"][0]["content"] for call in server.asked()]

    (started, end), prompts = runner.run(scenario())

    assert started == Started(0)
    assert prompts == ["one", "two"]
    assert isinstance(end, Probabilities)
    assert end.rows[0] == pytest.approx((0.990, 0.009), abs=0.001)
    assert end.rows[1] == (0.0, 1.0)
    assert end.usage.prompt_tokens == 14


def test_a_probe_fails_if_the_server_returns_too_few_tokens(runner: asyncio.Runner) -> None:
    async def scenario() -> ServiceError:
        async with engine(probe_answer(x=-0.1)) as (_, backend):
            return await failure(backend, probe("a", "b"))

    assert isinstance(runner.run(scenario()), ModelUnavailable)


def test_a_given_answer_is_not_scored(runner: asyncio.Runner) -> None:
    async def scenario() -> tuple[ServiceError, int]:
        async with engine() as (server, backend):
            request = ScoreRequest("s", "m", (Message("user", "one"),), "two")
            return await failure(backend, request), len(server.asked())

    error, asked = runner.run(scenario())

    assert isinstance(error, InvalidInput)
    assert "embedded" in error.detail
    assert asked == 0


def test_a_raw_prompt_is_completed_by_the_server(runner: asyncio.Runner) -> None:
    async def scenario() -> tuple[list[Event], Any]:
        async with engine() as (server, backend):
            pieces = [{"index": 0, "text": "Hel"}, {"index": 0, "text": "lo"}]
            parts = b"".join(event({"choices": [piece]}) for piece in pieces)
            server.plays[TEXTS] = [stream(parts + END)]
            events = await drain(backend, ask(messages=(), prompt="Say hello:"))
            return events, server.asked(TEXTS)[0].body

    events, body = runner.run(scenario())

    assert text_of(events) == "Hello"
    assert isinstance(events[-1], Finished)
    assert body["prompt"] == "Say hello:"
    assert "messages" not in body


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_without_completions_of_raw_prompts_says_so(
    runner: asyncio.Runner, status: int
) -> None:
    async def scenario() -> ServiceError:
        async with engine() as (server, backend):
            server.plays[TEXTS] = [reply(status, {"error": "nothing here"})]
            return await failure(backend, ask(messages=(), prompt="Say hello:"))

    error = runner.run(scenario())

    assert isinstance(error, InvalidInput)
    assert "no completions of raw prompts" in error.detail
    assert "nothing here" in error.detail


def test_a_text_is_embedded_by_the_server(runner: asyncio.Runner) -> None:
    async def scenario() -> list[Event]:
        async with engine() as (server, backend):
            data = [{"object": "embedding", "index": 0, "embedding": [1, 0.5]}]
            server.plays[EMBEDDINGS] = [reply(200, {"data": data, "usage": {"prompt_tokens": 3}})]
            return await drain(backend, EmbedRequest("e", "m", "text"))

    started, end = runner.run(scenario())

    assert started == Started(0)
    assert isinstance(end, Embedding)
    assert end.vector == (1.0, 0.5)


@pytest.mark.parametrize(
    "answer", [reply(404, {}), reply(501, {"error": "no"}), reply(400, {"error": "no pooling"})]
)
def test_a_server_without_embeddings_says_so(runner: asyncio.Runner, answer: Script) -> None:
    async def scenario() -> ServiceError:
        async with engine() as (server, backend):
            server.plays[EMBEDDINGS] = [answer]
            return await failure(backend, EmbedRequest("e", "m", "text"))

    error = runner.run(scenario())

    assert isinstance(error, ModelUnavailable)
    assert error.detail.startswith("The text could not be embedded.")


def test_another_ideapool_server_completes_raw_prompts(
    runner: asyncio.Runner, settings: Settings
) -> None:
    theirs = FakeBackend(["one two three"])

    async def scenario(url: str) -> list[Event]:
        async with remote(url, model="fake") as backend:
            request = ask(model="fake", messages=(), prompt=(1, 2), logprobs=2)
            return await drain(backend, replace(request, json_schema='{"type":"array"}'))

    with served(create_app(settings, theirs)) as url:
        events = runner.run(scenario(url))
    (asked,) = theirs.history

    assert text_of(events) == "one two three"
    tokens = [token for one in events if isinstance(one, Delta) for token in one.logprobs]
    assert tokens[0] == TokenLogprob("one", -0.1, (("one", -0.1), ("one.", -1.1)))
    assert len(tokens) == 3
    assert isinstance(events[-1], Finished)
    assert events[-1].usage.prompt_tokens == 2
    assert isinstance(asked, GenerateRequest)
    assert (asked.prompt, asked.json_schema) == ((1, 2), '{"type": "array"}')


def test_another_ideapool_server_can_be_the_engine(
    runner: asyncio.Runner, settings: Settings
) -> None:
    theirs = FakeBackend(["one two three"])

    async def scenario(url: str) -> list[Event]:
        async with remote(url, model="fake") as backend:
            request = ask(model="fake", grammar='root ::= "a"', sampling=Sampling(top_k=7, seed=3))
            return await drain(backend, request)

    with served(create_app(settings, theirs)) as url:
        events = runner.run(scenario(url))
    (asked,) = theirs.history

    assert text_of(events) == "one two three"
    assert isinstance(events[-1], Finished)
    assert isinstance(asked, GenerateRequest)
    assert (asked.grammar, asked.max_tokens) == ('root ::= "a"', 20)
    assert (asked.sampling.top_k, asked.sampling.seed) == (7, 3)


def test_a_closed_backend_refuses_requests(runner: asyncio.Runner) -> None:
    async def scenario() -> ServiceError:
        async with engine() as (_, backend):
            await backend.close()
            return await failure(backend, ask())

    assert isinstance(runner.run(scenario()), ModelUnavailable)
