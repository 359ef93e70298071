"""Which requests are let in: host names, origins, keys and sizes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from service.web.guard import CSP, OPEN_PATHS, OPEN_PREFIXES
from tests.support.fake_backend import FakeBackend

BOARDS = "/api/v1/boards"


@pytest.mark.parametrize("path", ["/", "/livez", "/static/app.css", "/api/v1/ideas", "/nowhere"])
@pytest.mark.parametrize("host", ["evil.example", "", "localhost.evil.example", "169.254.169.254"])
def test_a_foreign_host_name_is_refused_everywhere(
    client: TestClient, path: str, host: str
) -> None:
    response = client.get(path, headers={"host": host})

    assert response.status_code == 403


@pytest.mark.parametrize("host", ["localhost", "localhost:8123", "127.0.0.1:8000", "[::1]:8000"])
def test_our_own_host_names_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/livez", headers={"host": host}).status_code == 200


def test_a_configured_host_name_is_answered(settings: Settings) -> None:
    ours = settings.model_copy(update={"allowed_hosts": ("ideas.lan",)})
    with TestClient(create_app(ours, FakeBackend()), base_url="http://ideas.lan") as client:
        assert client.get("/livez").status_code == 200


@pytest.mark.parametrize(
    ("headers", "is_allowed"),
    [
        ({}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "http://localhost"}, False),
        ({"origin": "http://localhost"}, True),
        ({"origin": "http://localhost:9"}, False),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "null"}, False),
    ],
)
def test_another_sites_page_cannot_change_anything(
    client: TestClient, headers: dict[str, str], is_allowed: bool
) -> None:
    before = len(client.get(BOARDS).json())

    response = client.post(BOARDS, json={"name": "x"}, headers=headers)

    assert response.status_code == (201 if is_allowed else 403)
    assert len(client.get(BOARDS).json()) == before + is_allowed


def test_a_body_over_the_limit_is_refused_with_or_without_a_content_length(
    client: TestClient, settings: Settings
) -> None:
    def chunks() -> Iterator[bytes]:
        yield from [b"x" * 65536] * 10

    limit = settings.body_limit_bytes
    for path in (BOARDS, "/api/v1/nowhere"):
        for content in (b"x" * (limit + 1), chunks()):
            refused = client.post(path, content=content)

            assert refused.status_code == 413
            assert refused.headers["content-type"] == "application/problem+json"
            assert refused.headers["content-security-policy"] == CSP
            assert refused.json()["title"] == "Body too large"
            assert f"the limit of {limit} bytes" in refused.json()["detail"]


@pytest.mark.parametrize(
    "path", ["/livez", "/api/v1/ideas", "/api/v1/nowhere", "/static/app.css", "/nowhere"]
)
def test_every_response_has_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers

    assert headers["content-security-policy"] == CSP
    assert headers["x-content-type-options"] == "nosniff"
    assert "x-request-id" in headers


@pytest.fixture
def locked(settings: Settings) -> Iterator[TestClient]:
    app = create_app(settings.model_copy(update={"require_key": True}), FakeBackend())
    with TestClient(app, base_url="http://localhost", follow_redirects=False) as client:
        yield client


def test_without_a_key_only_health_and_sign_in_are_open(locked: TestClient) -> None:
    routes = list(iter_route_contexts(locked.app.routes))  # type: ignore[attr-defined]
    assert len(routes) > 40
    for route in routes:
        path = (route.path or "").replace("{", "").replace("}", "")
        is_open = path in OPEN_PATHS or path.startswith(OPEN_PREFIXES)
        for method in (route.methods or set()) - {"HEAD"}:
            answer = locked.request(method, path, headers={"accept": "application/json"})
            is_refused = "www-authenticate" in answer.headers
            assert is_refused != is_open, f"{method} {path}: {answer.status_code}"


def test_a_key_opens_the_api_and_a_revoked_one_does_not(locked: TestClient) -> None:
    keys = locked.app.state.store.keys  # type: ignore[attr-defined]
    token = keys.create("test")
    headers = {"authorization": f"Bearer {token}"}

    assert locked.get(BOARDS, headers=headers).status_code == 200
    assert locked.get(BOARDS, headers={"authorization": f"Bearer {token}x"}).status_code == 401
    keys.revoke(keys.all()[0].id)

    assert locked.get(BOARDS, headers=headers).status_code == 401


def test_signing_in_opens_the_pages_until_signing_out(locked: TestClient) -> None:
    token = locked.app.state.store.keys.create("test")  # type: ignore[attr-defined]
    page = {"accept": "text/html"}

    assert locked.get("/", headers=page).headers["location"] == "/login"
    assert locked.post("/login", data={"key": "wrong"}).status_code == 401
    signed_in = locked.post("/login", data={"key": token})
    assert "httponly" in signed_in.headers["set-cookie"].lower()
    assert token not in signed_in.headers["set-cookie"]
    assert locked.get(BOARDS).status_code == 200
    session = locked.cookies["ideapool_session"]
    locked.post("/logout")

    locked.cookies.set("ideapool_session", session)
    assert locked.get(BOARDS).status_code == 401


def test_keys_are_stored_hashed(locked: TestClient, tmp_path: Path) -> None:
    token = locked.app.state.store.keys.create("test")  # type: ignore[attr-defined]

    stored = b"".join(path.read_bytes() for path in tmp_path.glob("ideapool.db*"))
    assert token.removeprefix("ip_").encode() not in stored


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nowhere", 404),
        ("GET", "/api/v1/ideas/none", 404),
        ("PUT", "/api/v1/ideas", 405),
        ("GET", "/api/v1/ideas?limit=0", 422),
        ("GET", "/api/v1/ideas?limit=99999999999999999999", 422),
        ("POST", "/api/v1/ideas/none/versions/9223372036854775808/restore", 422),
    ],
)
def test_every_error_of_the_api_is_a_problem(
    client: TestClient, method: str, path: str, status: int
) -> None:
    response = client.request(method, path)

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["detail"]
    assert problem["instance"].endswith(response.headers["x-request-id"])
    if status == 405:
        assert "GET" in response.headers["allow"]


def test_an_unexpected_failure_is_a_problem_without_its_cause(
    client: TestClient, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("secret path /etc/shadow")

    monkeypatch.setattr(backend, "models", broken)

    response = client.get("/readyz")

    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "secret" not in response.text
