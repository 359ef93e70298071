"""What the tests of OpenAI's API on the fake backend have in common."""

import json
from typing import Any

from fastapi.testclient import TestClient
from httpx2 import Response

from service.engine.types import GenerateRequest
from tests.support.fake_backend import FakeBackend


def chunks_of(response: Response) -> list[dict[str, Any]]:
    """The chunks of a complete stream; asserts that it ends as OpenAI's streams do."""
    *chunks, done, rest = response.text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    return [json.loads(chunk.removeprefix("data: ")) for chunk in chunks]


def generated(backend: FakeBackend) -> list[GenerateRequest]:
    return [one for one in backend.history if isinstance(one, GenerateRequest)]


def refusal(client: TestClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The error of a request that is refused as a client's fault; `body` may hold what JSON may not."""
    content = json.dumps(body)
    response = client.post(path, content=content, headers={"content-type": "application/json"})
    error: dict[str, Any] = response.json()["error"]
    assert response.status_code == 400
    assert error["type"] == "invalid_request_error"
    return error


def assert_names_field(
    client: TestClient, path: str, body: dict[str, Any], *, param: str, code: str, words: str
) -> None:
    """The request is refused for this field, with a code and words that say why."""
    error = refusal(client, path, body)
    assert (error["param"], error["code"]) == (param, code)
    assert words in error["message"]
