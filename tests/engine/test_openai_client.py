"""The official `openai` client, as it is, on the real server with the real small model."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam
from openai.types.responses import ResponseInputParam
from pydantic import BaseModel, Field

from service.settings import PROJECT_ROOT
from tests.support.app_server import START_S, Server, serving
from tests.support.timing import quickest

MODEL = "smollm2-135m"
WEIGHTS = PROJECT_ROOT / "data" / "models" / "smollm2-135m-instruct-q4_1.gguf"
QUESTION: list[ChatCompletionMessageParam] = [
    {"role": "system", "content": "You are brief."},
    {"role": "user", "content": "Name three things to grow in a garden."},
]
STORY: list[ChatCompletionMessageParam] = [
    {"role": "user", "content": "Tell a very long story about a garden."}
]

# The model's own marks of an end, never to be taken.
ENDLESS = {"0": -100, "2": -100}


@pytest.fixture(scope="module")
def client(shared_server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{shared_server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def running(server: Server) -> float:
    series = 'ideapool_engine_requests{state="running"}'
    lines = server.http.get("/metrics").text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(series))


def await_idle(server: Server) -> float:
    """Seconds until the model works no more."""
    began = time.monotonic()
    while running(server) > 0:
        assert time.monotonic() - began < START_S
        time.sleep(0.02)
    return time.monotonic() - began


def tokens(answer: ChatCompletion) -> list[str]:
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    return [one.token for one in logprobs.content or ()]


def test_the_client_lists_the_models(client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]

    assert names == [MODEL, f"{MODEL}-brainstorm", "brainstorm", "general"]
    assert client.models.retrieve("general").id == "general"


def test_the_client_reads_an_answer(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model="general", messages=STORY, max_tokens=16, logit_bias=ENDLESS, seed=1
    )

    (choice,) = answer.choices
    assert answer.model == MODEL
    assert choice.message.content
    assert choice.finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 16
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 16


def test_the_client_gets_embeddings_that_tell_texts_apart(client: OpenAI) -> None:
    texts = ["Soup for the street", "Soup for our street", "A quieter tractor engine"]
    soup, same, tractor = (
        one.embedding for one in client.embeddings.create(model="general", input=texts).data
    )

    def cosine(one: list[float], other: list[float]) -> float:
        return sum(a * b for a, b in zip(one, other, strict=True))

    assert cosine(soup, soup) == pytest.approx(1, abs=1e-4)
    assert cosine(soup, same) > cosine(soup, tractor)


def test_a_stream_says_what_the_whole_answer_says(client: OpenAI) -> None:
    whole = client.chat.completions.create(
        model=MODEL, messages=QUESTION, max_tokens=24, temperature=0
    )
    stream = client.chat.completions.create(
        model=MODEL,
        messages=QUESTION,
        max_tokens=24,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)

    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 24


def test_several_answers_differ_and_come_in_order(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model=MODEL, messages=QUESTION, max_tokens=16, n=3, seed=3, temperature=1
    )
    one = client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=16)

    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert len({choice.message.content for choice in answer.choices}) == 3
    assert answer.usage is not None
    assert one.usage is not None
    assert answer.usage.prompt_tokens == one.usage.prompt_tokens


def test_a_stop_text_ends_the_answer_and_is_not_in_it(client: OpenAI) -> None:
    whole = client.chat.completions.create(
        model=MODEL, messages=QUESTION, max_tokens=24, temperature=0
    )
    word = (whole.choices[0].message.content or "").split()[4]
    cut = client.chat.completions.create(
        model=MODEL, messages=QUESTION, max_tokens=24, temperature=0, stop=[word]
    )

    assert cut.choices[0].finish_reason == "stop"
    assert word not in (cut.choices[0].message.content or "")
    assert (whole.choices[0].message.content or "").startswith(
        cut.choices[0].message.content or "?"
    )


def test_an_answer_follows_the_schema_it_was_given(client: OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {
            "plant": {"type": "string", "maxLength": 20},
            "weeks": {"enum": [4, 8, 12]},
        },
        "required": ["plant", "weeks"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model=MODEL,
        messages=QUESTION,
        max_tokens=80,
        seed=1,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "crop", "schema": schema, "strict": True},
        },
    )

    crop = json.loads(answer.choices[0].message.content or "")
    assert set(crop) == {"plant", "weeks"}
    assert isinstance(crop["plant"], str)
    assert len(crop["plant"]) <= 20
    assert crop["weeks"] in (4, 8, 12)


def test_a_json_object_is_one(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": 'Answer as {"colour": "…"}: the colour of grass?'}],
        max_tokens=200,
        temperature=0,
        response_format={"type": "json_object"},
        stream=True,
    )

    text = "".join(chunk.choices[0].delta.content or "" for chunk in answer)
    assert isinstance(json.loads(text), dict)


def test_a_grammar_is_followed(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model=MODEL,
        messages=QUESTION,
        max_tokens=8,
        extra_body={"grammar": 'root ::= "yes" | "no"', "top_k": 20, "min_p": 0.01},
    )

    assert answer.choices[0].message.content in ("yes", "no")
    assert answer.choices[0].finish_reason == "stop"


def test_logprobs_name_the_token_taken_and_the_likeliest(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model=MODEL, messages=QUESTION, max_tokens=6, temperature=0, logprobs=True, top_logprobs=3
    )

    assert "".join(tokens(answer)) == answer.choices[0].message.content
    for one in (answer.choices[0].logprobs.content if answer.choices[0].logprobs else None) or ():
        assert one.token == one.top_logprobs[0].token
        assert one.logprob == one.top_logprobs[0].logprob <= 0
        likely = [two.logprob for two in one.top_logprobs]
        assert likely == sorted(likely, reverse=True)


def test_a_favoured_token_is_always_taken(client: OpenAI) -> None:
    answers = [
        client.chat.completions.create(
            model=MODEL,
            messages=QUESTION,
            max_tokens=3,
            temperature=0,
            logit_bias=bias,
            logprobs=True,
        )
        for bias in ({}, {"100": 100}, {"100": -100})
    ]

    free, favoured, banned = [tokens(answer) for answer in answers]
    assert len(set(favoured)) == 1
    assert free == banned != favoured


@pytest.mark.parametrize("stream", [False, True])
def test_the_client_continues_a_raw_prompt(client: OpenAI, stream: bool) -> None:
    fields: dict[str, Any] = {
        "model": "general",
        "prompt": "One, two, three, four,",
        "temperature": 0,
    }
    fields |= {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    answer = client.completions.create(**fields, max_tokens=8, logprobs=2)
    parts = list(answer) if stream else [answer]

    text = "".join(part.choices[0].text for part in parts if part.choices)
    assert "seven, eight" in text
    usage = parts[-1].usage
    assert usage is not None
    assert usage.completion_tokens == 8
    logprobs = parts[0].choices[0].logprobs
    assert logprobs is not None
    assert logprobs.tokens is not None
    assert text.startswith("".join(logprobs.tokens))
    assert logprobs.top_logprobs is not None
    assert logprobs.tokens[0] in logprobs.top_logprobs[0]


def test_the_client_continues_several_prompts_at_once(client: OpenAI) -> None:
    fields: dict[str, Any] = {"model": "general", "max_tokens": 6, "temperature": 0}
    prompts = ["Monday, Tuesday,", "one, two, three,"]

    alone = [client.completions.create(prompt=one, **fields).choices[0].text for one in prompts]
    together = client.completions.create(prompt=prompts, n=2, **fields)

    texts = [choice.text for choice in together.choices]
    assert texts == [alone[0], alone[0], alone[1], alone[1]]
    assert together.usage is not None
    assert together.usage.completion_tokens == 24


def test_a_raw_prompt_that_fills_in_the_template_is_answered_like_its_chat(client: OpenAI) -> None:
    chat = client.chat.completions.create(
        model=MODEL, messages=QUESTION, max_tokens=16, temperature=0
    )
    turns = "".join(f"<|im_start|>{one['role']}\n{one['content']}<|im_end|>\n" for one in QUESTION)
    text = client.completions.create(
        model=MODEL, prompt=f"{turns}<|im_start|>assistant\n", max_tokens=16, temperature=0
    )

    assert text.choices[0].text == chat.choices[0].message.content
    assert text.usage is not None
    assert chat.usage is not None
    assert text.usage.prompt_tokens == chat.usage.prompt_tokens


def test_the_client_reads_a_response(client: OpenAI) -> None:
    chat = client.chat.completions.create(
        model=MODEL, messages=QUESTION, max_tokens=16, temperature=0
    )
    response = client.responses.create(
        model="general",
        instructions="You are brief.",
        input="Name three things to grow in a garden.",
        max_output_tokens=16,
        temperature=0,
        metadata={"purpose": "test"},
    )

    assert response.output_text == chat.choices[0].message.content
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert response.metadata == {"purpose": "test"}
    assert response.usage is not None
    assert response.usage.output_tokens == 16
    assert chat.usage is not None
    assert response.usage.input_tokens == chat.usage.prompt_tokens


def test_the_client_carries_a_conversation_on(client: OpenAI) -> None:
    question: ResponseInputParam = [{"role": "user", "content": "Name a colour."}]
    first = client.responses.create(model=MODEL, input=question, max_output_tokens=16)
    second = client.responses.create(
        model=MODEL,
        input=[*question, *first.output, {"role": "user", "content": "Name another one."}],  # type: ignore[list-item]
        max_output_tokens=16,
    )

    assert second.output_text
    assert first.usage is not None
    assert second.usage is not None
    assert second.usage.input_tokens > first.usage.input_tokens


def test_the_client_follows_the_events_of_a_response(client: OpenAI) -> None:
    with client.responses.stream(
        model=MODEL, input="Tell a story about a garden.", max_output_tokens=24, temperature=0
    ) as stream:
        events = list(stream)

    kinds = list(dict.fromkeys(event.type.removeprefix("response.") for event in events))
    assert kinds == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "incomplete",
    ]
    deltas = [one.delta for one in events if one.type == "response.output_text.delta"]
    assert events[-1].type == "response.incomplete"
    assert "".join(deltas) == events[-1].response.output_text


class Crop(BaseModel):
    plant: Annotated[str, Field(max_length=20)]
    weeks: Literal[4, 8, 12]


def test_the_client_parses_a_response_into_a_model(client: OpenAI) -> None:
    response = client.responses.parse(
        model=MODEL,
        input="Name a plant and how long it takes to grow.",
        text_format=Crop,
        max_output_tokens=80,
        extra_body={"seed": 1},
    )

    assert response.status == "completed"
    assert isinstance(response.output_parsed, Crop)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"reasoning": {"effort": "high"}}, "reasoning.effort"),
    ],
)
def test_the_client_is_told_which_part_of_the_responses_api_is_missing(
    client: OpenAI, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(model=MODEL, input="Hi.", **fields)

    assert (raised.value.code, raised.value.param) == ("unsupported", param)


@pytest.mark.parametrize(
    ("fields", "kind", "code"),
    [
        ({"model": "gpt-4"}, openai.NotFoundError, "model_not_found"),
        ({"max_tokens": 100_000}, openai.BadRequestError, "context_length_exceeded"),
        ({"extra_body": {"grammar": "root ::= ("}}, openai.BadRequestError, "invalid_input"),
        ({"temperature": 9}, openai.BadRequestError, "invalid_input"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_the_client_raises_its_own_errors(
    client: OpenAI,
    fields: dict[str, object],
    kind: type[openai.APIStatusError],
    code: str,
    stream: bool,
) -> None:
    asked: dict[str, object] = {"model": MODEL, "messages": QUESTION, "stream": stream} | fields
    with pytest.raises(kind) as raised:
        client.chat.completions.create(**asked)  # type: ignore[call-overload]

    assert raised.value.code == code


def test_without_a_limit_an_answer_gets_what_the_prompt_leaves(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.toml"
    catalog.write_text(
        f'[[model]]\nname = "narrow"\nroles = ["brainstorm", "general"]\ncontext = 256\n'
        f'path = "{WEIGHTS}"\n'
    )
    with serving(tmp_path, IDEAPOOL_CATALOG=str(catalog), IDEAPOOL_MODEL="") as server:
        server.await_models()
        with OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
            answer = client.chat.completions.create(
                model="narrow", messages=STORY, extra_body={"grammar": 'root ::= "ok"'}
            )

    assert answer.choices[0].message.content == "ok"


def test_closing_a_stream_frees_the_model_within_a_second(
    shared_server: Server, client: OpenAI
) -> None:
    def attempt() -> float:
        stream = client.chat.completions.create(
            model=MODEL, messages=STORY, max_tokens=1500, logit_bias=ENDLESS, stream=True, n=2
        )
        next(stream)
        assert running(shared_server) > 0
        stream.close()
        return await_idle(shared_server)

    assert quickest(attempt, 1) < 1


def test_a_key_is_asked_for_where_the_service_needs_one(tmp_path: Path) -> None:
    with serving(tmp_path, IDEAPOOL_REQUIRE_KEY="true", IDEAPOOL_CREATE_KEY="true") as server:
        token = next(line for line in server.log.splitlines() if "API key" in line).split()[-1]
        with (
            OpenAI(base_url=f"{server.url}/v1", api_key="wrong", max_retries=0) as stranger,
            pytest.raises(openai.AuthenticationError) as refused,
        ):
            stranger.models.list()
        with OpenAI(base_url=f"{server.url}/v1", api_key=token) as known:
            assert known.models.list().data

    assert refused.value.code == "invalid_api_key"


def test_a_completion_ends_at_the_deadline(tmp_path: Path) -> None:
    with serving(tmp_path, IDEAPOOL_RUN_DEADLINE_S="1") as server:
        server.await_models()
        with OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:

            def attempt() -> float:
                with pytest.raises(openai.InternalServerError) as late:
                    client.chat.completions.create(
                        model=MODEL, messages=STORY, max_tokens=1500, logit_bias=ENDLESS
                    )
                with pytest.raises(openai.APIError) as cut:
                    list(
                        client.chat.completions.create(
                            model=MODEL,
                            messages=STORY,
                            max_tokens=1500,
                            logit_bias=ENDLESS,
                            stream=True,
                        )
                    )

                assert late.value.status_code == 504
                assert late.value.code == cut.value.code == "deadline_exceeded"
                return await_idle(server)

            assert quickest(attempt, 1) < 1


def test_a_terminated_server_ends_its_completions_with_a_reason(tmp_path: Path) -> None:
    def attempt() -> float:
        with (
            serving(tmp_path, IDEAPOOL_DRAIN_S="0") as server,
            OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client,
        ):
            server.await_models()
            stream = client.chat.completions.create(
                model=MODEL, messages=STORY, max_tokens=1500, logit_bias=ENDLESS, stream=True
            )
            next(stream)
            took_s = server.stop()
            with pytest.raises(openai.APIError, match="stopping"):
                list(stream)
            return took_s

    assert quickest(attempt, 5) < 5
