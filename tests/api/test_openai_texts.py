"""OpenAI's older completions on the fake backend: prompts, answers, streams and refusals."""

import json
import time
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from service.engine.types import GenerateRequest, RawPrompt, Sampling
from service.errors import EngineBusy, EngineCrashed, PromptTooLong
from service.settings import Settings
from tests.support.fake_backend import Broken, FakeBackend
from tests.support.openai_api import assert_names_field, chunks_of, generated

TEXTS = "/v1/completions"
PROMPT = "Once upon a time"


def ask(client: TestClient, **fields: Any) -> Response:
    return client.post(TEXTS, json={"model": "fake", "prompt": PROMPT} | fields)


def test_an_answer_has_openais_form(client: TestClient, backend: FakeBackend) -> None:
    backend.replies.append(" there was a fox.")

    answer = ask(client).json()

    assert answer.pop("id").startswith("cmpl-")
    assert abs(answer.pop("created") - time.time()) < 60
    assert answer.pop("timings")["predicted_n"] == 4
    assert answer == {
        "object": "text_completion",
        "model": "fake",
        "choices": [
            {"index": 0, "text": " there was a fox.", "logprobs": None, "finish_reason": "stop"}
        ],
        "usage": {
            "prompt_tokens": 4,
            "completion_tokens": 4,
            "total_tokens": 8,
            "prompt_tokens_details": {"cached_tokens": 0},
        },
    }


def test_request_fields_are_passed_to_the_engine(
    client: TestClient, backend: FakeBackend, settings: Settings
) -> None:
    ask(
        client,
        max_tokens=7,
        temperature=0,
        top_p=0.5,
        top_k=3,
        min_p=0.1,
        presence_penalty=1.5,
        frequency_penalty=-2,
        logit_bias={"50": -100},
        seed=11,
        stop=["\n", "END"],
        grammar='root ::= "yes"',
        logprobs=2,
        user="ann",
        unknown="ignored",
    )

    (request,) = generated(backend)
    assert request == GenerateRequest(
        id=request.id,
        model="fake",
        messages=(),
        prompt=PROMPT,
        max_tokens=7,
        sampling=Sampling(
            temperature=0,
            top_p=0.5,
            top_k=3,
            min_p=0.1,
            seed=11,
            frequency_penalty=-2,
            presence_penalty=1.5,
            logit_bias=((50, -100),),
        ),
        stop=("\n", "END"),
        grammar='root ::= "yes"',
        is_foreign=True,
        logprobs=2,
        client="testclient ann",
        holder="testclient",
        timeout_s=settings.run_deadline_s,
    )


def test_omitted_and_null_fields_get_defaults(client: TestClient, backend: FakeBackend) -> None:
    names = "max_tokens temperature stop seed n stream logprobs best_of echo suffix user"

    assert ask(client, **dict.fromkeys(names.split())).status_code == 200
    assert ask(client, echo=False, best_of=1).status_code == 200

    assert [one.max_tokens for one in generated(backend)] == [16, 16]
    assert generated(backend)[0].logprobs is None


@pytest.mark.parametrize(
    ("sent", "prompts"),
    [
        ("a b", ["a b"]),
        (["a b"], ["a b"]),
        (["a", "b"], ["a", "b"]),
        ([1, 2.0, 3], [(1, 2, 3)]),
        ([[1], [2, 3]], [(1,), (2, 3)]),
        (["a", [2, 3]], ["a", (2, 3)]),
    ],
)
def test_a_prompt_is_a_text_or_tokens_or_a_list_of_such(
    client: TestClient, backend: FakeBackend, sent: object, prompts: list[RawPrompt]
) -> None:
    assert ask(client, prompt=sent).status_code == 200

    assert [one.prompt for one in generated(backend)] == prompts


def test_the_answers_to_the_first_prompt_come_first(
    client: TestClient, backend: FakeBackend
) -> None:
    answer = ask(client, prompt=["a a a", "b"], n=2, seed=5, max_tokens=2).json()

    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    asked = sorted(generated(backend), key=lambda one: one.id)
    assert [one.prompt for one in asked] == ["a a a", "a a a", "b", "b"]
    assert [one.sampling.seed for one in asked] == [5, 6, 5, 6]
    assert answer["usage"]["prompt_tokens"] == 4
    assert answer["usage"]["completion_tokens"] == 8


def test_logprobs_come_in_lists(client: TestClient, backend: FakeBackend) -> None:
    backend.replies += ["one two", "one"]

    several = ask(client, logprobs=2).json()["choices"][0]["logprobs"]
    none = ask(client, logprobs=0).json()["choices"][0]["logprobs"]

    assert several == {
        "tokens": ["one", " two"],
        "token_logprobs": [-0.1, -0.1],
        "top_logprobs": [{"one": -0.1, "one.": -1.1}, {" two": -0.1, " two.": -1.1}],
    }
    assert none == {"tokens": ["one"], "token_logprobs": [-0.1], "top_logprobs": [{"one": -0.1}]}


def test_a_response_format_holds_the_answer_to_its_schema(
    client: TestClient, backend: FakeBackend
) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "array"}}}

    assert ask(client, response_format=form).status_code == 200

    assert json.loads(generated(backend)[0].json_schema or "") == {"type": "array"}


def test_a_stream_has_openais_form(client: TestClient, backend: FakeBackend) -> None:
    backend.replies.append('Say "hé"\n now')

    response = ask(client, stream=True, stream_options={"include_usage": True}, logprobs=0)

    assert response.headers["content-type"].startswith("text/event-stream")
    *chunks, last = chunks_of(response)
    assert len({chunk["id"] for chunk in [*chunks, last]}) == 1
    assert {(chunk["object"], chunk["model"]) for chunk in chunks} == {("text_completion", "fake")}
    assert all(chunk["usage"] is None for chunk in chunks)
    assert (last["choices"], last["usage"]["total_tokens"]) == ([], 7)
    choices = [chunk["choices"][0] for chunk in chunks]
    assert "".join(choice["text"] for choice in choices) == 'Say "hé"\n now'
    assert [choice["finish_reason"] for choice in choices] == [None, None, None, "stop"]
    tokens = [(choice["logprobs"] or {"tokens": None})["tokens"] for choice in choices]
    assert tokens == [["Say"], [' "hé"'], ["\n now"], None]


def test_a_stream_of_several_prompts_keeps_them_apart(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.replies += ["one one one", "two two"]

    response = ask(client, prompt=["a", "b"], stream=True, stream_options={"include_usage": True})

    texts = ["", ""]
    for chunk in chunks_of(response)[:-1]:
        (choice,) = chunk["choices"]
        texts[choice["index"]] += choice["text"]
    assert sorted(texts) == ["one one one", "two two"]
    assert chunks_of(response)[-1]["usage"]["prompt_tokens"] == 2


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_before_the_first_token_is_an_http_error(
    client: TestClient, backend: FakeBackend, stream: bool
) -> None:
    backend.replies += [EngineBusy("Busy.", retry_after_s=7), PromptTooLong("Too long.")]

    busy, long = ask(client, stream=stream), ask(client, stream=stream)

    assert (busy.status_code, busy.headers["retry-after"]) == (503, "7")
    assert (long.status_code, long.json()["error"]["code"]) == (400, "context_length_exceeded")


def test_an_error_after_the_first_token_ends_the_stream_without_done(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.replies.append(Broken("one two", EngineCrashed("It died.")))

    *_, last, rest = ask(client, stream=True).text.split("\n\n")

    assert rest == ""
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "engine_crashed"


@pytest.mark.parametrize(
    ("fields", "param", "code", "words"),
    [
        ({"prompt": None}, "prompt", "invalid_input", "a text or a list of token ids"),
        ({"prompt": ""}, "prompt", "invalid_input", "none is empty"),
        ({"prompt": []}, "prompt", "invalid_input", "1 to 8"),
        ({"prompt": [[]]}, "prompt", "invalid_input", "none is empty"),
        ({"prompt": [True]}, "prompt", "invalid_input", "token ids"),
        ({"prompt": [-1]}, "prompt", "invalid_input", "token ids"),
        ({"prompt": ["a"] * 9}, "prompt", "invalid_input", "1 to 8"),
        ({"prompt": "\ud800"}, "prompt", "invalid_input", "surrogate"),
        ({"prompt": ["a", "b", "c"], "n": 3}, "n", "invalid_input", "3 prompts with 3 each are 9"),
        ({"max_tokens": 0}, "max_tokens", "invalid_input", ""),
        ({"logprobs": True}, "logprobs", "invalid_input", "integer"),
        ({"logprobs": 21}, "logprobs", "invalid_input", ""),
        ({"echo": True}, "echo", "unsupported", "leave it out"),
        ({"suffix": "The end."}, "suffix", "unsupported", "leave it out"),
        ({"best_of": 2}, "best_of", "unsupported", "equal to `n`"),
        ({"n": 2, "best_of": 3}, "best_of", "unsupported", "equal to `n`"),
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
    body = {"model": "fake", "prompt": PROMPT} | fields

    assert_names_field(client, TEXTS, body, param=param, code=code, words=words)
    assert not backend.history


def test_completions_of_raw_prompts_are_counted_as_texts(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.replies.append("one two")

    ask(client)

    lines = client.get("/metrics").text.splitlines()
    assert 'ideapool_runs_total{kind="text",status="done"} 1.0' in lines
    assert 'ideapool_tokens_total{direction="completion"} 2.0' in lines


def test_an_unknown_model_is_a_404(client: TestClient) -> None:
    response = ask(client, model="gpt-3.5-turbo-instruct")

    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")
