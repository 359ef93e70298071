"""The type of each problem leads to a page that explains it."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from service import errors
from service.web.errors import problem_of, status_of
from service.web.pages.problems import PROBLEMS

# They end a command, or only logs show them.
NEVER_ANSWERED = {"ConfigurationError", "ServerUnreachable", "ServerRefused", "ClientLeft"}
# They stand for the classes below them.
ABSTRACT = {"EngineError", "RepeatedIdea"}


def classes(base: type[errors.ServiceError]) -> Iterator[type[errors.ServiceError]]:
    for one in base.__subclasses__():
        yield one
        yield from classes(one)


@pytest.mark.parametrize(
    "kind",
    [
        one
        for one in classes(errors.ServiceError)
        if one.__name__ not in NEVER_ANSWERED | ABSTRACT and one.__module__ == errors.__name__
    ],
)
def test_every_error_of_the_api_is_explained(kind: type[errors.ServiceError]) -> None:
    error = kind.__new__(kind)
    Exception.__init__(error, "x")
    name = errors.type_of(kind)

    assert PROBLEMS[name][0] == status_of(error)


def test_the_type_of_a_problem_is_an_address(client: TestClient) -> None:
    problem = client.get("/api/v1/ideas/none").json()

    page = client.get(problem["type"], headers={"accept": "text/html"})

    assert page.status_code == 200
    assert page.url.fragment == "not-found"
    assert 'id="not-found"' in page.text
    assert client.get("/problems/no-such", headers={"accept": "text/html"}).status_code == 404


def test_the_types_of_http_errors_are_explained_too(client: TestClient) -> None:
    for method, path in (("GET", "/api/v1/nothing"), ("DELETE", "/api/v1/models")):
        problem = client.request(method, path).json()
        assert problem["type"].rpartition("/")[2] in PROBLEMS
    assert problem_of(ValueError())["type"] == "/problems/internal-error"
