"""Embeddings in OpenAI's format, on the fake backend."""

import base64
import math
import struct
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from service.engine.types import EmbedRequest
from tests.support.fake_backend import FakeBackend

EMBEDDINGS = "/v1/embeddings"


def embed(client: TestClient, texts: Any, **fields: Any) -> Response:
    return client.post(EMBEDDINGS, json={"model": "fake", "input": texts} | fields)


def test_each_text_gets_a_vector_of_length_one_in_order(
    client: TestClient, backend: FakeBackend
) -> None:
    answer = embed(client, ["a tidy shed", "soup"]).json()

    assert answer["object"] == "list"
    assert [one["index"] for one in answer["data"]] == [0, 1]
    for one in answer["data"]:
        assert math.isclose(math.hypot(*one["embedding"]), 1, rel_tol=1e-6)
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"]
    asked = [one for one in backend.history if isinstance(one, EmbedRequest)]
    assert [one.text for one in asked] == ["a tidy shed", "soup"]


def test_one_text_is_not_a_list(client: TestClient) -> None:
    assert len(embed(client, "soup").json()["data"]) == 1


def test_base64_packs_the_same_numbers(client: TestClient) -> None:
    plain = embed(client, "a tidy shed").json()["data"][0]["embedding"]
    packed = embed(client, "a tidy shed", encoding_format="base64").json()["data"][0]["embedding"]

    assert list(struct.unpack(f"<{len(plain)}f", base64.b64decode(packed))) == pytest.approx(plain)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": []}, "input"),
        ({"input": [1, 2]}, "input"),
        ({"input": ["x"] * 257}, "input"),
        ({"dimensions": 8}, "dimensions"),
        ({"encoding_format": "hex"}, "encoding_format"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(
    client: TestClient, fields: dict[str, Any], param: str
) -> None:
    refused = client.post(EMBEDDINGS, json={"model": "fake", "input": "soup"} | fields)

    assert refused.status_code == 400
    assert refused.json()["error"]["param"].startswith(param)


def test_an_unknown_model_is_named(client: TestClient) -> None:
    refused = embed(client, "soup", model="gpt")

    assert refused.status_code == 404
    assert "There is no model 'gpt'" in refused.json()["error"]["message"]
