"""OpenAI's API on the fake backend: requests, answers, streams, errors and disconnects."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from service.app import create_app
from service.engine.types import GenerateRequest, Message, Sampling
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
from tests.support.fake_backend import FAKE_MODEL, Broken, FakeBackend
from tests.support.openai_api import assert_names_field, chunks_of, generated
from tests.support.timing import quickest

CHAT = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "Say hello."}]


def ask(client: TestClient, **fields: Any) -> Response:
    return client.post(CHAT, json={"model": "fake", "messages": HELLO} | fields)


def test_the_models_are_listed_by_name_and_by_role(client: TestClient) -> None:
    listed = client.get("/v1/models").json()

    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == ["fake", "brainstorm", "general"]
    assert client.get("/v1/models/general").json() == listed["data"][2]
    assert listed["data"][2] == {
        "id": "general",
        "object": "model",
        "created": 0,
        "owned_by": "ideapool",
    }


def test_an_answer_has_openais_form(client: TestClient, backend: FakeBackend) -> None:
    backend.replies.append("Hello to you.")

    answer = ask(client).json()

    assert answer.pop("id").startswith("chatcmpl-")
    assert abs(answer.pop("created") - time.time()) < 60
    assert answer.pop("timings")["predicted_n"] == 3
    assert answer == {
        "object": "chat.completion",
        "model": "fake",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello to you.", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 2,
            "completion_tokens": 3,
            "total_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 0},
        },
    }


@pytest.mark.parametrize("name", ["fake", "brainstorm", "general"])
def test_a_model_can_be_requested_by_its_name_or_its_role(client: TestClient, name: str) -> None:
    assert ask(client, model=name).json()["model"] == "fake"


def test_request_fields_are_passed_to_the_engine(
    client: TestClient, backend: FakeBackend, settings: Settings
) -> None:
    ask(
        client,
        messages=[
            {"role": "developer", "content": "Be brief."},
            {"role": "system", "content": [{"type": "text", "text": "Be"}]},
            {
                "role": "user",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            },
            {"role": "assistant", "content": "c", "name": "ignored"},
        ],
        max_tokens=9,
        max_completion_tokens=7,
        temperature=0,
        top_p=0.5,
        top_k=3,
        min_p=0.1,
        presence_penalty=1.5,
        frequency_penalty=-2,
        logit_bias={"50": -100, "7": 0.5},
        seed=11.0,
        stop=["\n", "END"],
        grammar='root ::= "yes"',
        user="ann",
        store=True,
    )

    (request,) = generated(backend)
    assert request == GenerateRequest(
        id=request.id,
        model="fake",
        messages=(
            Message("system", "Be brief."),
            Message("system", "Be"),
            Message("user", "a\nb"),
            Message("assistant", "c"),
        ),
        max_tokens=7,
        sampling=Sampling(
            temperature=0,
            top_p=0.5,
            top_k=3,
            min_p=0.1,
            seed=11,
            frequency_penalty=-2,
            presence_penalty=1.5,
            logit_bias=((50, -100), (7, 0.5)),
        ),
        stop=("\n", "END"),
        grammar='root ::= "yes"',
        is_foreign=True,
        client="testclient ann",
        holder="testclient",
        timeout_s=settings.run_deadline_s,
    )


def test_omitted_and_null_fields_get_the_services_own_defaults(
    client: TestClient, backend: FakeBackend
) -> None:
    names = "max_tokens temperature top_p stop seed n stream response_format logprobs tools user"

    assert ask(client, **dict.fromkeys(names.split())).status_code == 200
    assert ask(client).status_code == 200

    first, second = generated(backend)
    assert first.max_tokens == 512
    assert first.stop == ()
    assert first.client == "testclient"
    assert replace(first.sampling, seed=0) == Sampling()
    assert first.sampling.seed != second.sampling.seed
    assert not first.is_repeatable


@pytest.mark.parametrize("asked", [{"seed": 0}, {"temperature": 0}])
def test_an_answer_with_a_seed_or_without_chance_can_be_repeated(
    client: TestClient, backend: FakeBackend, asked: dict[str, int]
) -> None:
    assert ask(client, **asked).status_code == 200
    assert generated(backend)[0].is_repeatable


@pytest.mark.parametrize(
    ("form", "schema"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"type": "object"}),
        (
            {
                "type": "json_schema",
                "json_schema": {"name": "x", "strict": True, "schema": {"type": "array"}},
            },
            {"type": "array"},
        ),
    ],
)
def test_a_response_format_becomes_the_engines_json_schema(
    client: TestClient, backend: FakeBackend, form: dict[str, Any], schema: dict[str, Any] | None
) -> None:
    ask(client, response_format=form)

    text = generated(backend)[0].json_schema
    assert (None if text is None else json.loads(text)) == schema


def test_an_answer_cut_at_its_limit_says_length(client: TestClient, backend: FakeBackend) -> None:
    backend.replies.append("one two three four")

    choice = ask(client, max_tokens=2).json()["choices"][0]

    assert (choice["message"]["content"], choice["finish_reason"]) == ("one two", "length")


class Narrow(FakeBackend):
    """Admits answers of at most 100 tokens."""

    def _admit(self, request: Any) -> None:
        super()._admit(request)
        if request.max_tokens > 100:
            self._waiting.remove(request.id)
            raise PromptTooLong("It does not fit.")


@pytest.mark.parametrize("n", [1, 2])
def test_without_a_token_limit_an_answer_is_shortened_to_fit_the_context(
    settings: Settings, n: int
) -> None:
    backend = Narrow()
    with TestClient(create_app(settings, backend), base_url="http://localhost") as client:
        assert ask(client, n=n).status_code == 200
        assert ask(client, max_tokens=101).json()["error"]["code"] == "context_length_exceeded"

    assert generated(backend)[-2].max_tokens == 64


def test_several_answers_run_side_by_side_each_with_its_own_seed(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.replies += ["one", "two two", "three three three"]

    answer = ask(client, n=3, seed=2**31 - 1).json()

    texts = [choice["message"]["content"] for choice in answer["choices"]]
    assert sorted(texts) == ["one", "three three three", "two two"]
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    assert [one.sampling.seed for one in generated(backend)] == [2**31 - 1, 0, 1]
    assert backend.peak == FAKE_MODEL.slots
    assert answer["usage"]["prompt_tokens"] == 2
    assert answer["usage"]["completion_tokens"] == 6


def test_logprobs_come_with_their_alternatives(client: TestClient, backend: FakeBackend) -> None:
    backend.replies += ["é", "\ufffd"]

    whole = ask(client, logprobs=True, top_logprobs=2).json()["choices"][0]["logprobs"]
    part = ask(client, logprobs=True).json()["choices"][0]["logprobs"]

    assert whole["content"] == [
        {
            "token": "é",
            "logprob": -0.1,
            "bytes": [0xC3, 0xA9],
            "top_logprobs": [
                {"token": "é", "logprob": -0.1, "bytes": [0xC3, 0xA9]},
                {"token": "é.", "logprob": -1.1, "bytes": [0xC3, 0xA9, 0x2E]},
            ],
        }
    ]
    assert part["content"] == [
        {"token": "\ufffd", "logprob": -0.1, "bytes": None, "top_logprobs": []}
    ]


def test_a_stream_has_openais_form(client: TestClient, backend: FakeBackend) -> None:
    backend.replies.append('Say "hé"\n now')

    response = ask(client, stream=True)

    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-accel-buffering"] == "no"
    chunks = chunks_of(response)
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert {(chunk["object"], chunk["model"]) for chunk in chunks} == {
        ("chat.completion.chunk", "fake")
    }
    assert all("usage" not in chunk for chunk in chunks)
    choices = [chunk["choices"][0] for chunk in chunks]
    assert choices[0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert "".join(choice["delta"].get("content", "") for choice in choices) == 'Say "hé"\n now'
    assert (choices[-1]["delta"], choices[-1]["finish_reason"]) == ({}, "stop")
    assert [choice["finish_reason"] for choice in choices[:-1]] == [None] * 4


def test_a_stream_ends_with_its_usage_if_requested(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.replies.append("one two")

    *chunks, last = chunks_of(ask(client, stream=True, stream_options={"include_usage": True}))

    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == 4
    assert all(chunk["usage"] is None for chunk in chunks)


def test_a_stream_of_several_answers_keeps_them_apart(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.replies += ["one one one", "two two"]

    chunks = chunks_of(ask(client, stream=True, n=2, stream_options={"include_usage": True}))

    texts, reasons = ["", ""], [None, None]
    for chunk in chunks[:-1]:
        (choice,) = chunk["choices"]
        texts[choice["index"]] += choice["delta"].get("content", "")
        reasons[choice["index"]] = choice["finish_reason"]
    assert sorted(texts) == ["one one one", "two two"]
    assert reasons == ["stop", "stop"]
    assert chunks[-1]["usage"]["completion_tokens"] == 5


def test_a_stream_sends_logprobs_with_the_text(client: TestClient, backend: FakeBackend) -> None:
    backend.replies.append("one two")

    chunks = chunks_of(ask(client, stream=True, logprobs=True, top_logprobs=1))

    told = [chunk["choices"][0].get("logprobs") for chunk in chunks]
    assert [one and one["content"][0]["token"] for one in told] == [None, "one", " two", None]


REFUSALS: list[tuple[ServiceError, int, str]] = [
    (EngineBusy("Busy.", retry_after_s=7), 503, "engine_busy"),
    (ModelUnavailable("No file."), 503, "model_unavailable"),
    (PromptTooLong("Too long."), 400, "context_length_exceeded"),
    (InvalidInput("No grammar."), 400, "invalid_input"),
    (EngineCrashed("Gone."), 502, "engine_crashed"),
    (DeadlineExceeded("Late."), 504, "deadline_exceeded"),
]


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("error", "status", "code"), REFUSALS)
def test_an_error_before_the_first_token_is_an_http_error(
    client: TestClient,
    backend: FakeBackend,
    error: ServiceError,
    status: int,
    code: str,
    stream: bool,
    n: int,
) -> None:
    backend.replies += [error] * 12

    response = ask(client, stream=stream, n=n)

    assert response.status_code == status
    assert response.json() == {
        "error": {
            "message": error.detail,
            "type": "server_error" if status >= 500 else "invalid_request_error",
            "param": None,
            "code": code,
        }
    }
    assert response.headers.get("retry-after") == ("7" if code == "engine_busy" else None)


def test_an_error_after_the_first_token_ends_the_stream_without_done(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.replies.append(Broken("one two", EngineCrashed("It died.")))

    response = ask(client, stream=True)

    *_, last, rest = response.text.split("\n\n")
    assert response.status_code == 200
    assert rest == ""
    assert json.loads(last.removeprefix("data: ")) == {
        "error": {
            "message": "It died.",
            "type": "server_error",
            "param": None,
            "code": "engine_crashed",
        }
    }
    assert "[DONE]" not in response.text


def test_several_answers_are_all_refused_if_there_is_no_room_for_one_of_them(
    settings: Settings,
) -> None:
    backend = FakeBackend(queue_limit=1)
    backend.gate.clear()
    with TestClient(create_app(settings, backend), base_url="http://localhost") as client:
        response = ask(client, n=8, stream=True)

    assert response.status_code == 503
    assert not backend.running
    assert len(backend.cancelled) == FAKE_MODEL.slots


@pytest.mark.parametrize(
    ("fields", "param", "code", "words"),
    [
        ({"model": None}, "model", "invalid_input", "valid string"),
        ({"messages": []}, "messages", "invalid_input", "at least 1"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role", "invalid_input", ""),
        (
            {"messages": [*HELLO, {"role": "user", "content": None}]},
            "messages[1].content",
            "invalid_input",
            "valid string",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            "messages[0].content",
            "unsupported",
            "image_url",
        ),
        (
            {"messages": [{"role": "user", "content": [{"text": "x"}]}]},
            "messages[0].content",
            "invalid_input",
            "`type`",
        ),
        (
            {"messages": [{"role": "user", "content": "\ud800"}]},
            "messages[0].content",
            "invalid_input",
            "",
        ),
        (
            {"messages": [{"role": "assistant", "content": "x", "tool_calls": [{"id": "1"}]}]},
            "messages[0].tool_calls",
            "unsupported",
            "leave it out",
        ),
        ({"stop": "\ud800"}, "stop", "invalid_input", "surrogate"),
        ({"grammar": "\ud800"}, "grammar", "invalid_input", "surrogate"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "x", "schema": {"const": ["\ud800"]}},
                }
            },
            "response_format.json_schema.schema",
            "invalid_input",
            "surrogate",
        ),
        ({"tools": [{"type": "function"}]}, "tools", "unsupported", "leave it out"),
        ({"tool_choice": "required"}, "tool_choice", "unsupported", ""),
        ({"tool_choice": 0}, "tool_choice", "unsupported", ""),
        ({"functions": [{"name": "f"}]}, "functions", "unsupported", ""),
        ({"modalities": ["text", "audio"]}, "modalities", "unsupported", ""),
        ({"audio": {"voice": "x"}}, "audio", "unsupported", ""),
        ({"n": 9}, "n", "invalid_input", "8"),
        ({"n": 1.5}, "n", "invalid_input", "integer"),
        ({"max_tokens": 0}, "max_tokens", "invalid_input", ""),
        ({"temperature": "hot"}, "temperature", "invalid_input", "number"),
        ({"temperature": 2.1}, "temperature", "invalid_input", ""),
        ({"stop": ["a"] * 5}, "stop", "invalid_input", ""),
        ({"stop": ""}, "stop", "invalid_input", ""),
        ({"logit_bias": {"x": 1}}, "logit_bias.x", "invalid_input", ""),
        ({"logit_bias": {"1": 101}}, "logit_bias", "invalid_input", ""),
        ({"top_logprobs": 1}, "top_logprobs", "invalid_input", "logprobs: true"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "invalid_input", ""),
        ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_input", ""),
        (
            {"response_format": {"type": "json_schema"}},
            "response_format.json_schema",
            "invalid_input",
            "needs",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
            "response_format.json_schema.schema",
            "invalid_input",
            "required",
        ),
        (
            {"grammar": 'root ::= "x"', "response_format": {"type": "json_object"}},
            "grammar",
            "invalid_input",
            "not both",
        ),
    ],
)
def test_a_bad_field_is_named_in_a_400(
    client: TestClient,
    backend: FakeBackend,
    fields: dict[str, Any],
    param: str,
    code: str,
    words: str,
) -> None:
    body = {"model": "fake", "messages": HELLO} | fields

    assert_names_field(client, CHAT, body, param=param, code=code, words=words)
    assert not backend.history


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"temperature": NaN}'])
def test_a_body_that_is_not_a_chat_request_is_a_400(client: TestClient, body: bytes) -> None:
    response = client.post(CHAT, content=body, headers={"content-type": "application/json"})

    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nowhere", 404, "not_found"),
        ("GET", "/v1/models/gpt-4", 404, "model_not_found"),
        ("GET", CHAT, 405, "method_not_allowed"),
        ("POST", "/v1/models", 405, "method_not_allowed"),
    ],
)
def test_every_error_under_v1_has_openais_form(
    client: TestClient, method: str, path: str, status: int, code: str
) -> None:
    response = client.request(method, path, headers={"accept": "text/html"})

    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (status, code)
    assert set(error) == {"message", "type", "param", "code"}
    assert ("allow" in response.headers) == (status == 405)


def test_an_unknown_model_is_a_404_that_lists_the_known_models(client: TestClient) -> None:
    response = ask(client, model="gpt-4")

    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (404, "model_not_found")
    assert "fake, brainstorm, general" in error["message"]


def test_the_guards_refusals_have_openais_form(settings: Settings) -> None:
    locked = settings.model_copy(update={"require_key": True})
    with TestClient(create_app(locked, FakeBackend()), base_url="http://localhost") as client:
        refused = ask(client)
        token = client.app.state.store.keys.create("test")  # type: ignore[attr-defined]
        headers = {"authorization": f"Bearer {token}"}
        answered = client.get("/v1/models", headers=headers)
        foreign = client.get(
            "/v1/models", headers=headers | {"origin": "x", "host": "evil.example"}
        )
        large = client.post(CHAT, content=b" " * (settings.body_limit_bytes + 1), headers=headers)

    codes = [(one.status_code, one.json()["error"]["code"]) for one in (refused, foreign, large)]
    assert codes == [(401, "invalid_api_key"), (403, "forbidden"), (413, "body_too_large")]
    assert refused.headers["www-authenticate"] == "Bearer"
    assert answered.status_code == 200


def test_a_page_of_another_site_cannot_request_a_completion(
    client: TestClient, backend: FakeBackend
) -> None:
    response = client.post(
        CHAT, json={"model": "fake", "messages": HELLO}, headers={"sec-fetch-site": "cross-site"}
    )

    assert (response.status_code, response.json()["error"]["code"]) == (403, "forbidden")
    assert "access-control-allow-origin" not in response.headers
    assert not backend.history


@pytest.fixture
def slow() -> FakeBackend:
    return FakeBackend([" ".join(["word"] * 400)] * 20, delay_s=0.02)


@pytest.fixture
def slow_url(settings: Settings, slow: FakeBackend) -> Iterator[str]:
    with served(create_app(settings, slow)) as url:
        yield url


@pytest.mark.parametrize(
    ("path", "asked", "n"),
    [
        (CHAT, {"messages": HELLO}, 1),
        (CHAT, {"messages": HELLO, "n": 2}, 2),
        ("/v1/completions", {"prompt": ["Once", "Twice"], "max_tokens": 400}, 2),
        ("/v1/responses", {"input": "Say hello."}, 1),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_completion_stops_when_its_client_disconnects(
    slow_url: str, slow: FakeBackend, stream: bool, path: str, asked: dict[str, Any], n: int
) -> None:
    body = json.dumps({"model": "fake", "stream": stream} | asked).encode()
    port = int(slow_url.rpartition(":")[2])
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode() + body)
        while len(slow.running) < n:
            time.sleep(0.01)
        if stream:
            assert connection.recv(100).startswith(b"HTTP/1.1 200")

    began = time.monotonic()
    while slow.running:
        assert time.monotonic() - began < 2
        time.sleep(0.01)
    assert len(slow.cancelled) == n


def counted(client: TestClient, series: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(series))


def test_completions_are_counted_like_runs(client: TestClient, backend: FakeBackend) -> None:
    backend.replies += ["one two", EngineCrashed("x"), EngineBusy("x", retry_after_s=1)]

    ask(client)
    ask(client, stream=True)
    ask(client)

    assert counted(client, 'ideapool_runs_total{kind="chat",status="done"}') == 1
    assert counted(client, 'ideapool_runs_total{kind="chat",status="failed"}') == 1
    assert counted(client, "ideapool_runs_refused_total") == 1
    assert counted(client, 'ideapool_tokens_total{direction="completion"}') == 2
    assert counted(client, 'ideapool_run_first_seconds_count{kind="chat"}') == 1
    assert counted(client, 'ideapool_run_seconds_count{kind="chat"}') == 1


def test_a_stopping_server_refuses_new_completions_and_ends_running_ones(
    settings: Settings,
) -> None:
    backend = FakeBackend(["one two three"] * 2, delay_s=0.02)
    app = create_app(settings, backend)

    async def stop_amid() -> tuple[list[str], list[str]]:
        completions = app.state.completions
        request = GenerateRequest("a", "fake", (Message("user", "x"),), 100)
        seen, refused = [], []
        try:
            async for _, piece in completions.stream([request]):
                seen.append(type(piece).__name__)
                await completions.close(0)
        except EngineBusy as error:
            refused.append(error.detail)
        try:
            async for _ in completions.stream([replace(request, id="b")]):
                pass
        except EngineBusy as error:
            refused.append(error.detail)
        return seen, refused

    seen, refused = asyncio.run(stop_amid())

    assert seen == ["Delta"]
    assert len(refused) == 2
    assert all("stopping" in detail for detail in refused)


def test_a_draining_server_lets_completions_finish(settings: Settings) -> None:
    app = create_app(settings, FakeBackend(["one two three"], delay_s=0.02))

    async def drain() -> str:
        completions = app.state.completions
        request = GenerateRequest("a", "fake", (Message("user", "x"),), 100)
        closing: asyncio.Task[None] | None = None
        text = ""
        async for _, piece in completions.stream([request]):
            closing = closing or asyncio.create_task(completions.close(5))
            text += getattr(piece, "text", "")
        assert closing is not None
        await asyncio.wait_for(closing, 1)
        return text

    assert asyncio.run(drain()) == "one two three"


def test_the_description_names_the_models_and_openais_errors(client: TestClient) -> None:
    document = client.get("/api/v1/openapi.json").json()

    operation = document["paths"][CHAT]["post"]
    assert document["components"]["schemas"]["ChatRequest"]["properties"]["model"]["enum"] == [
        "fake",
        "brainstorm",
        "general",
    ]
    assert "422" not in operation["responses"]
    for status in ("400", "401", "404", "503"):
        content = operation["responses"][status]["content"]
        assert content["application/json"]["schema"]["$ref"].endswith("/OpenAIError")


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (CHAT, {"messages": [{}] * 80_000}),
        (CHAT, {"messages": HELLO * 2_001}),
        ("/v1/responses", {"input": [{}] * 80_000}),
        (CHAT, {"messages": HELLO, "logit_bias": {f"x{i}": "" for i in range(20_000)}}),
    ],
)
def test_a_body_full_of_errors_is_refused_quickly(
    client: TestClient, path: str, fields: dict[str, Any]
) -> None:
    body = json.dumps({"model": "fake"} | fields, separators=(",", ":"))

    def attempt() -> float:
        began = time.process_time()
        response = client.post(path, content=body, headers={"Content-Type": "application/json"})
        assert response.status_code == 400
        return time.process_time() - began

    assert quickest(attempt, 0.5) < 0.5


def test_grammars_of_clients_can_be_turned_off(migrated: Settings, backend: FakeBackend) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
    app = create_app(migrated.model_copy(update={"client_grammars": False}), backend)
    with TestClient(app, base_url="http://localhost") as client:
        refused = [ask(client, grammar='root ::= "x"'), ask(client, response_format=schema)]
        any_object = ask(client, response_format={"type": "json_object"})

    assert [one.status_code for one in refused] == [400, 400]
    assert "takes no grammars" in refused[0].json()["error"]["message"]
    assert any_object.status_code == 200


def test_a_hostile_grammar_is_refused_before_the_engine_sees_it(
    client: TestClient, backend: FakeBackend
) -> None:
    response = ask(client, grammar="root ::= " + "(" * 30_000 + '"a"' + ")" * 30_000)

    assert response.status_code == 400
    assert response.json()["error"]["param"] == "grammar"
    assert "groups inside each other" in response.json()["error"]["message"]
    assert generated(backend) == []


def test_the_requests_of_a_call_have_its_client_as_holder_and_bring_its_grammar(
    client: TestClient, backend: FakeBackend
) -> None:
    ask(client, n=2, user="one", grammar='root ::= "x"')
    ask(client, response_format={"type": "json_object"})
    requests = generated(backend)

    assert {one.holder for one in requests} == {"testclient"}
    assert [one.is_foreign for one in requests] == [True, True, False]
