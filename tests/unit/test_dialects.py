"""What is sent to each kind of server, and how a kind is recognised."""

from dataclasses import replace
from typing import Any

import pytest

from service.engine.remote.dialects import (
    IDEAPOOL,
    LLAMA_SERVER,
    OLD_VLLM,
    OLLAMA,
    OPENAI,
    VLLM,
    Dialect,
    chat_body,
    probe_body,
    text_body,
    vllm_of,
)
from service.engine.remote.discovery import chosen_model, listed_models
from service.engine.types import GenerateRequest, Message, Sampling
from service.errors import InvalidInput, ModelUnavailable

ALL = (LLAMA_SERVER, IDEAPOOL, VLLM, OLD_VLLM, OLLAMA, OPENAI)
GRAMMAR = 'root ::= "a"'
REQUEST = GenerateRequest(
    "1", "ours", (Message("system", "Be brief."), Message("user", "Hi")), 9, Sampling(seed=3)
)


@pytest.mark.parametrize("dialect", ALL)
def test_every_server_gets_the_fields_that_openai_defines(dialect: Dialect) -> None:
    body = chat_body(replace(REQUEST, stop=("\n",), logprobs=2), dialect, "theirs")

    assert body["model"] == "theirs"
    assert body["messages"][1] == {"role": "user", "content": "Hi"}
    assert (body["max_tokens"], body["seed"], body["stop"]) == (9, 3, ["\n"])
    assert (body["temperature"], body["top_p"]) == (0.7, 0.95)
    assert (body["logprobs"], body["top_logprobs"]) == (True, 3)
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})


@pytest.mark.parametrize("dialect", ALL)
def test_optional_fields_are_sent_only_when_they_are_needed(dialect: Dialect) -> None:
    body = chat_body(REQUEST, dialect, "theirs")

    assert not {"stop", "logprobs", "top_logprobs", "response_format", "logit_bias"} & set(body)
    assert not {"grammar", "guided_grammar", "structured_outputs"} & set(body)


@pytest.mark.parametrize(
    ("dialect", "fields"),
    [
        (LLAMA_SERVER, {"grammar": GRAMMAR}),
        (IDEAPOOL, {"grammar": GRAMMAR}),
        (VLLM, {"structured_outputs": {"grammar": GRAMMAR}}),
        (OLD_VLLM, {"guided_grammar": GRAMMAR}),
        (OLLAMA, {}),
        (OPENAI, {}),
    ],
)
def test_a_grammar_is_sent_in_the_servers_own_field(
    dialect: Dialect, fields: dict[str, Any]
) -> None:
    plain = chat_body(REQUEST, dialect, "m")

    assert chat_body(replace(REQUEST, grammar=GRAMMAR), dialect, "m") == plain | fields


@pytest.mark.parametrize("dialect", ALL)
def test_a_json_schema_is_a_strict_response_format(dialect: Dialect) -> None:
    form = chat_body(replace(REQUEST, json_schema='{"type":"object"}'), dialect, "m")[
        "response_format"
    ]

    assert form["type"] == "json_schema"
    assert form["json_schema"]["schema"] == {"type": "object"}
    assert form["json_schema"]["strict"] is True


def test_a_schema_that_is_not_json_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not JSON"):
        chat_body(replace(REQUEST, json_schema="{"), OPENAI, "m")


@pytest.mark.parametrize("dialect", ALL)
def test_filters_go_only_to_servers_that_know_them(dialect: Dialect) -> None:
    body = chat_body(REQUEST, dialect, "m")

    assert ("top_k" in body, "min_p" in body) == (dialect not in (OLLAMA, OPENAI),) * 2


def test_a_logit_bias_that_the_server_would_ignore_is_refused() -> None:
    request = replace(REQUEST, sampling=Sampling(logit_bias=((7, -100.0),)))

    assert chat_body(request, LLAMA_SERVER, "m")["logit_bias"] == {"7": -100.0}
    with pytest.raises(InvalidInput, match="Ollama"):
        chat_body(request, OLLAMA, "m")


@pytest.mark.parametrize(("count", "asked"), [(0, 1), (5, 6), (20, 20)])
def test_one_more_alternative_is_asked_for_up_to_the_limit(count: int, asked: int) -> None:
    assert chat_body(replace(REQUEST, logprobs=count), VLLM, "m")["top_logprobs"] == asked


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize("prompt", ["Once upon", (1, 2)])
def test_a_raw_prompt_is_sent_in_place_of_messages(
    dialect: Dialect, prompt: str | tuple[int, ...]
) -> None:
    chat = chat_body(REQUEST, dialect, "m")

    body = text_body(replace(REQUEST, messages=(), prompt=prompt), dialect, "m")

    del chat["messages"]
    assert body == {"prompt": prompt} | chat


@pytest.mark.parametrize(("count", "asked"), [(0, 1), (5, 5), (20, 20)])
def test_the_logprobs_of_a_raw_prompt_are_a_number(count: int, asked: int) -> None:
    body = text_body(replace(REQUEST, prompt="a", logprobs=count), VLLM, "m")

    assert body["logprobs"] == asked
    assert "top_logprobs" not in body


def test_a_json_schema_for_a_raw_prompt_goes_only_to_servers_that_take_one() -> None:
    request = replace(REQUEST, prompt="a", json_schema='{"type":"object"}')

    assert text_body(request, LLAMA_SERVER, "m")["json_schema"] == {"type": "object"}
    for dialect in (IDEAPOOL, VLLM, OLD_VLLM):
        form = text_body(request, dialect, "m")["response_format"]
        assert form == chat_body(request, dialect, "m")["response_format"]
    for dialect in (OLLAMA, OPENAI):
        with pytest.raises(InvalidInput, match=dialect.name):
            text_body(request, dialect, "m")


def test_a_probe_asks_for_one_token_and_its_alternatives() -> None:
    body = probe_body(REQUEST.messages, VLLM, "m")

    assert (body["max_tokens"], body["logprobs"], body["top_logprobs"]) == (1, True, 20)
    assert probe_body(REQUEST.messages, LLAMA_SERVER, "m")["cache_prompt"] is False


@pytest.mark.parametrize(
    ("version", "dialect"),
    [
        ("0.33.0", VLLM),
        ("0.12.0", VLLM),
        ("0.11.2", OLD_VLLM),
        ("0.6.4.post1", OLD_VLLM),
        ("0.0.0.dev1", VLLM),
        ("1.0.0", VLLM),
        ("dev", VLLM),
    ],
)
def test_the_field_for_grammars_depends_on_the_version_of_vllm(
    version: str, dialect: Dialect
) -> None:
    assert vllm_of(version) is dialect


MODELS = listed_models(
    {
        "data": [
            {"id": "a", "max_model_len": 4096, "meta": None},
            {"id": "b:latest", "aliases": ["beta"], "meta": {"n_ctx": 512}},
        ]
    },
    "The engine",
)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("a", "a"), ("b:latest", "b:latest"), ("b", "b:latest"), ("beta", "b:latest")],
)
def test_a_model_is_found_by_any_of_its_names(wanted: str, found: str) -> None:
    assert chosen_model(MODELS, wanted, "The engine").id == found


@pytest.mark.parametrize("wanted", [None, "c"])
def test_the_error_for_a_missing_or_unknown_model_names_the_models(wanted: str | None) -> None:
    with pytest.raises(ModelUnavailable, match=r"a, b:latest.*IDEAPOOL_ENGINE_MODEL"):
        chosen_model(MODELS, wanted, "The engine")


def test_the_context_is_read_from_the_list_of_models() -> None:
    assert [model.context for model in MODELS] == [4096, 512]


@pytest.mark.parametrize("answer", [None, [], {}, {"data": []}, {"data": [{"name": "x"}]}, "html"])
def test_an_answer_that_is_not_a_list_of_models_is_refused(answer: Any) -> None:
    with pytest.raises(ModelUnavailable, match="/v1/models"):
        listed_models(answer, "The engine")
