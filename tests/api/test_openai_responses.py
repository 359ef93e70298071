"""OpenAI's Responses API on the fake backend: conversations, answers, events and refusals."""

import json
import time
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from openai.types.responses import Response as OpenAIResponse

from service.engine.types import GenerateRequest, Message, Sampling
from service.errors import EngineBusy, EngineCrashed, PromptTooLong
from service.settings import Settings
from tests.support.fake_backend import Broken, FakeBackend
from tests.support.openai_api import assert_names_field, generated

RESPONSES = "/v1/responses"
HELLO = "Say hello."


def ask(client: TestClient, **fields: Any) -> Response:
    return client.post(RESPONSES, json={"model": "fake", "input": HELLO} | fields)


def events(response: Response) -> list[dict[str, Any]]:
    """The events of a stream; asserts that each is named and that their numbers count up."""
    *parts, rest = response.text.split("\n\n")
    assert rest == ""
    found = []
    for number, part in enumerate(parts):
        name, data = part.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        assert event["sequence_number"] == number
        found.append(event)
    return found


def test_a_response_has_openais_form(client: TestClient, backend: FakeBackend) -> None:
    backend.replies.append("Hello to you.")

    answer = ask(client, instructions="Be kind.", metadata={"purpose": "test"}).json()

    OpenAIResponse.model_validate(answer)
    assert abs(answer.pop("created_at") - time.time()) < 60
    assert abs(answer.pop("completed_at") - time.time()) < 60
    request_id = answer.pop("id").removeprefix("resp_")
    assert answer == {
        "object": "response",
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": "fake",
        "output": [
            {
                "id": f"msg_{request_id}",
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": [
                    {
                        "type": "output_text",
                        "text": "Hello to you.",
                        "annotations": [],
                        "logprobs": [],
                    }
                ],
            }
        ],
        "usage": {
            "input_tokens": 4,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 3,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 7,
        },
        "instructions": "Be kind.",
        "max_output_tokens": None,
        "temperature": 0.7,
        "top_p": 0.95,
        "top_logprobs": 0,
        "text": {"format": {"type": "text"}},
        "metadata": {"purpose": "test"},
        "user": None,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "reasoning": {"effort": None, "summary": None},
        "truncation": "disabled",
        "store": False,
        "background": False,
        "previous_response_id": None,
    }


def test_request_fields_are_passed_to_the_engine(
    client: TestClient, backend: FakeBackend, settings: Settings
) -> None:
    ask(
        client,
        instructions="Be brief.",
        input=[
            {"role": "developer", "content": "Be kind."},
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "a"},
                    {"type": "input_text", "text": "b"},
                ],
            },
            {"role": "assistant", "content": [{"type": "output_text", "text": "c"}]},
            {"role": "system", "content": "d"},
        ],
        max_output_tokens=7,
        temperature=0,
        top_p=0.5,
        top_k=3,
        seed=11,
        stop="END",
        include=["message.output_text.logprobs", "reasoning.encrypted_content"],
        top_logprobs=2,
        user="ann",
        unknown="ignored",
    )

    (request,) = generated(backend)
    assert request == GenerateRequest(
        id=request.id,
        model="fake",
        messages=(
            Message("system", "Be brief."),
            Message("system", "Be kind."),
            Message("user", "a\nb"),
            Message("assistant", "c"),
            Message("system", "d"),
        ),
        max_tokens=7,
        sampling=Sampling(temperature=0, top_p=0.5, top_k=3, seed=11),
        stop=("END",),
        logprobs=2,
        client="testclient ann",
        holder="testclient",
        timeout_s=settings.run_deadline_s,
    )


def test_the_output_of_a_response_can_be_sent_back(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.replies += ["Hello.", "Bye."]
    first = ask(client).json()
    conversation = [{"role": "user", "content": HELLO}, *first["output"]]

    ask(client, input=[*conversation, {"role": "user", "content": "And now?"}])

    assert generated(backend)[1].messages == (
        Message("user", HELLO),
        Message("assistant", "Hello."),
        Message("user", "And now?"),
    )


def test_fields_that_ask_for_nothing_are_accepted(client: TestClient, backend: FakeBackend) -> None:
    answer = ask(
        client,
        store=True,
        background=False,
        previous_response_id=None,
        conversation=None,
        tools=[],
        tool_choice="none",
        parallel_tool_calls=False,
        reasoning={"effort": "none", "summary": None},
        truncation="disabled",
        text={"format": {"type": "text"}},
        include=[],
        stream_options={"include_obfuscation": False},
        max_output_tokens=None,
        service_tier="auto",
    )

    assert answer.status_code == 200
    assert answer.json()["store"] is False
    assert answer.json()["tool_choice"] == "none"
    assert answer.json()["parallel_tool_calls"] is False
    assert generated(backend)[0].max_tokens == 512


@pytest.mark.parametrize(
    ("form", "schema"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"type": "object"}),
        (
            {"type": "json_schema", "name": "x", "strict": True, "schema": {"type": "array"}},
            {"type": "array"},
        ),
    ],
)
def test_a_text_format_becomes_the_engines_json_schema(
    client: TestClient, backend: FakeBackend, form: dict[str, Any], schema: dict[str, Any] | None
) -> None:
    answer = ask(client, text={"format": form})

    text = generated(backend)[0].json_schema
    assert (None if text is None else json.loads(text)) == schema
    assert answer.json()["text"] == {"format": form}


def test_a_response_cut_at_its_limit_is_incomplete(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.replies.append("one two three four")

    answer = ask(client, max_output_tokens=2).json()

    assert answer["status"] == "incomplete"
    assert answer["incomplete_details"] == {"reason": "max_output_tokens"}
    assert (answer["completed_at"], answer["max_output_tokens"]) == (None, 2)
    assert answer["output"][0]["status"] == "incomplete"
    assert answer["output"][0]["content"][0]["text"] == "one two"


def test_logprobs_come_if_they_are_included(client: TestClient, backend: FakeBackend) -> None:
    backend.replies.append("one")

    answer = ask(client, include=["message.output_text.logprobs"], top_logprobs=1).json()

    token = {"token": "one", "logprob": -0.1, "bytes": list(b"one")}
    assert answer["output"][0]["content"][0]["logprobs"] == [token | {"top_logprobs": [token]}]
    assert answer["top_logprobs"] == 1


def test_a_stream_has_openais_events_in_their_order(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.replies.append('Say "hé"\n now')

    response = ask(client, stream=True)

    assert response.headers["content-type"].startswith("text/event-stream")
    found = events(response)
    assert [event["type"].removeprefix("response.") for event in found] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    created, begun, item, part, *deltas, text_done, part_done, item_done, completed = found
    OpenAIResponse.model_validate(completed["response"])
    assert created["response"] == begun["response"]
    assert (created["response"]["status"], created["response"]["output"]) == ("in_progress", [])
    assert (item["item"]["status"], item["item"]["content"]) == ("in_progress", [])
    assert part["part"]["text"] == ""
    places = [(one["item_id"], one["output_index"], one["content_index"]) for one in deltas]
    assert set(places) == {(item["item"]["id"], 0, 0)}
    text = 'Say "hé"\n now'
    assert "".join(one["delta"] for one in deltas) == text_done["text"] == text
    assert part_done["part"]["text"] == text
    assert item_done["item"] == completed["response"]["output"][0]
    assert item_done["item"]["content"] == [part_done["part"]]
    assert completed["response"]["status"] == "completed"
    assert completed["response"]["usage"]["total_tokens"] == 5


def test_a_stream_sends_logprobs_with_the_text(client: TestClient, backend: FakeBackend) -> None:
    backend.replies.append("one two")

    found = events(ask(client, stream=True, include=["message.output_text.logprobs"]))

    deltas = [one for one in found if one["type"] == "response.output_text.delta"]
    assert [one["logprobs"][0]["token"] for one in deltas] == ["one", " two"]
    done = next(one for one in found if one["type"] == "response.output_text.done")
    assert [one["token"] for one in done["logprobs"]] == ["one", " two"]


def test_a_stream_cut_at_its_limit_ends_as_incomplete(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.replies.append("one two three")

    last = events(ask(client, stream=True, max_output_tokens=1))[-1]

    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_before_the_first_token_is_an_http_error(
    client: TestClient, backend: FakeBackend, stream: bool
) -> None:
    backend.replies += [EngineBusy("Busy.", retry_after_s=7), PromptTooLong("Too long.")]

    busy, long = (ask(client, stream=stream, max_output_tokens=9) for _ in range(2))

    assert (busy.status_code, busy.headers["retry-after"]) == (503, "7")
    assert (long.status_code, long.json()["error"]["code"]) == (400, "context_length_exceeded")


def test_an_error_after_the_first_token_ends_the_stream_as_failed(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.replies.append(Broken("one two", EngineCrashed("It died.")))

    *_, last = events(ask(client, stream=True))

    assert last["type"] == "response.failed"
    OpenAIResponse.model_validate(last["response"])
    assert last["response"]["status"] == "failed"
    assert last["response"]["error"] == {
        "code": "server_error",
        "message": "It died.",
        "type": "engine_crashed",
    }
    (message,) = last["response"]["output"]
    assert (message["status"], message["content"][0]["text"]) == ("incomplete", "one two")


@pytest.mark.parametrize(
    ("fields", "param", "code", "words"),
    [
        ({"input": None}, "input", "invalid_input", "list"),
        ({"input": []}, "input", "invalid_input", "at least 1"),
        ({"input": "\ud800"}, "input[0].content", "invalid_input", "surrogate"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role", "invalid_input", ""),
        (
            {"input": [{"type": "function_call_output", "call_id": "1", "output": "x"}]},
            "input[0].type",
            "unsupported",
            "function_call_output",
        ),
        (
            {"input": [{"type": "item_reference", "id": "msg_1"}]},
            "input[0].type",
            "unsupported",
            "message",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]},
            "input[0].content",
            "unsupported",
            "input_image",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "x"}]}]},
            "input[0].content",
            "unsupported",
            "input_file",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "input[0].content",
            "unsupported",
            "input_audio",
        ),
        ({"previous_response_id": "resp_1"}, "previous_response_id", "unsupported", "leave it out"),
        ({"conversation": "conv_1"}, "conversation", "unsupported", ""),
        ({"background": True}, "background", "unsupported", ""),
        ({"tools": [{"type": "web_search"}]}, "tools", "unsupported", ""),
        ({"tool_choice": "required"}, "tool_choice", "unsupported", ""),
        ({"reasoning": {"effort": "low"}}, "reasoning.effort", "unsupported", ""),
        ({"prompt": {"id": "pmpt_1"}}, "prompt", "unsupported", ""),
        ({"truncation": "auto"}, "truncation", "unsupported", "shorten the input"),
        ({"text": {"verbosity": "low"}}, "text.verbosity", "unsupported", ""),
        (
            {"stream_options": {"include_obfuscation": True}},
            "stream_options.include_obfuscation",
            "unsupported",
            "",
        ),
        ({"include": ["x"]}, "include[0]", "invalid_input", ""),
        ({"top_logprobs": 1}, "top_logprobs", "invalid_input", "include"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type", "invalid_input", ""),
        (
            {"text": {"format": {"type": "json_schema", "name": "x"}}},
            "text.format.schema",
            "invalid_input",
            "needs `schema`",
        ),
        (
            {"text": {"format": {"type": "json_schema", "schema": {}}}},
            "text.format.name",
            "invalid_input",
            "needs `name`",
        ),
        (
            {"grammar": 'root ::= "x"', "text": {"format": {"type": "json_object"}}},
            "grammar",
            "invalid_input",
            "not both",
        ),
        ({"max_output_tokens": 0}, "max_output_tokens", "invalid_input", ""),
        ({"metadata": {"a": 1}}, "metadata.a", "invalid_input", "string"),
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata", "invalid_input", "16"),
        ({"store": "yes"}, "store", "invalid_input", "boolean"),
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
    body = {"model": "fake", "input": HELLO} | fields

    assert_names_field(client, RESPONSES, body, param=param, code=code, words=words)
    assert not backend.history


@pytest.mark.parametrize(("method", "path"), [("GET", "/resp_1"), ("DELETE", "/resp_1")])
def test_there_is_no_stored_response(client: TestClient, method: str, path: str) -> None:
    response = client.request(method, RESPONSES + path)

    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")
