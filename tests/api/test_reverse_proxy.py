"""The server behind real proxies, configured as the page about them says."""

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from service.app import create_app
from service.settings import PROJECT_ROOT, Settings
from tests.support.app_server import free_port, served
from tests.support.fake_backend import FakeBackend

PAGE = (PROJECT_ROOT / "docs" / "operate" / "reverse-proxy.md").read_text()
BLOCKS = {
    name: re.findall(rf"^```{name}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for name in ("nginx", "caddy")
}
HOST = {False: "ideas.example.org", True: "home.example.org"}
START_S = 60
# Around the page's block: paths that a test may write, and nothing in the background.
NGINX = """
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path other;
    uwsgi_temp_path other;
    scgi_temp_path other;
    {block}
}}
"""


@dataclass(frozen=True, slots=True)
class Setup:
    """A server behind a proxy; `http` asks the proxy by the public name."""

    http: httpx2.Client
    backend: FakeBackend
    key: str
    path: str


def nginx(folder: Path, port: int, server: str, *, under_path: bool) -> list[str]:
    block = BLOCKS["nginx"][under_path]
    if under_path:
        block = f"server {{\nlisten 443 ssl;\nserver_name {HOST[True]};\n{block}\n}}"
    # The page's block has certificates, which a test has not.
    block = re.sub(r"^\s*ssl_.*\n", "", block, flags=re.MULTILINE)
    block = block.replace("listen 443 ssl", f"listen 127.0.0.1:{port}")
    (folder / "nginx.conf").write_text(NGINX.format(block=block.replace("127.0.0.1:8000", server)))
    return ["nginx", "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"]


def caddy(folder: Path, port: int, server: str, *, under_path: bool) -> list[str]:
    name = HOST[under_path]
    block = BLOCKS["caddy"][under_path].replace(name, f"http://{name}:{port}", 1)
    options = "{\n\tadmin off\n}\n"
    (folder / "Caddyfile").write_text(options + block.replace("127.0.0.1:8000", server))
    return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


PROXIES = {"nginx": nginx, "caddy": caddy}


@contextmanager
def running(command: list[str], port: int, folder: Path) -> Iterator[None]:
    """Until it listens, and killed at the end."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/bin", "HOME": str(folder)}
    log = folder / "proxy.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + START_S
        while process.poll() is None and time.monotonic() < deadline:
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        else:
            raise RuntimeError(log.read_text())
        yield
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(params=[(name, below) for name in PROXIES for below in (False, True)], ids=str)
def setup(request: pytest.FixtureRequest, migrated: Settings, tmp_path: Path) -> Iterator[Setup]:
    name, under_path = request.param
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    path = "/ideas" if under_path else ""
    settings = migrated.model_copy(
        update={"require_key": True, "allowed_hosts": (HOST[under_path],), "root_path": path}
    )
    backend, port = FakeBackend(), free_port()
    app = create_app(settings, backend)
    folder = tmp_path / "proxy"
    folder.mkdir()
    with (
        served(app) as url,
        httpx2.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Host": HOST[under_path] + f":{port}", "Accept": "text/html"},
        ) as http,
    ):
        server = url.removeprefix("http://")
        command = PROXIES[name](folder, port, server, under_path=under_path)
        with running(command, port, folder):
            yield Setup(http, backend, app.state.store.keys.create("me"), path)


def test_people_sign_in_and_write_ideas_through_a_proxy(setup: Setup) -> None:
    http, path = setup.http, setup.path
    sent_away = http.get(f"{path}/")
    assert (sent_away.status_code, sent_away.headers["location"]) == (303, f"{path}/login")

    origin = {"Origin": f"http://{http.headers['Host']}"}
    signed_in = http.post(f"{path}/login", data={"key": setup.key}, headers=origin)
    cookie = signed_in.headers["set-cookie"].partition(";")[0]
    page = http.get(f"{path}/boards", headers={"Cookie": cookie})
    foreign = http.post(
        f"{path}/boards",
        data={"name": "Trip"},
        headers={"Cookie": cookie, "Origin": "http://other.example.org"},
    )

    assert signed_in.status_code == 303
    assert page.status_code == 200
    assert f'href="{path}/boards"' in page.text
    assert http.get(f"{path}/static/app.css").status_code == 200
    assert foreign.status_code == 403


def test_a_stream_arrives_while_the_model_still_writes(setup: Setup) -> None:
    setup.backend.gate.clear()
    headers = {"Authorization": f"Bearer {setup.key}", "Accept": "text/event-stream"}
    task = {"topic": "a street party", "n": 1}

    with setup.http.stream(
        "POST", f"{setup.path}/api/v1/brainstorm", json=task, headers=headers
    ) as stream:
        lines = (line for line in stream.iter_lines() if line.startswith("event: "))
        # The model has sent nothing yet, and will not before these have arrived.
        assert [next(lines), next(lines)] == ["event: queued", "event: started"]
        setup.backend.gate.set()
        assert list(lines)[-2:] == ["event: result", "event: done"]


def test_a_large_import_comes_through(setup: Setup) -> None:
    answer = setup.http.post(
        f"{setup.path}/api/v1/import?format=json&dry_run=true",
        content=b"x" * 3_000_000,
        headers={
            "Authorization": f"Bearer {setup.key}",
            "Content-Type": "application/octet-stream",
            "Accept": "application/json",
        },
    )

    # The server has read it, and says that this is not JSON.
    assert answer.status_code == 422
    assert "Invalid JSON" in answer.json()["detail"]


def test_a_proxy_on_this_machine_may_say_that_the_browser_uses_https(migrated: Settings) -> None:
    app = create_app(migrated.model_copy(update={"require_key": True}), FakeBackend())
    with served(app) as url:
        key = {"key": app.state.store.keys.create("me")}
        cookies = [
            httpx2.post(f"{url}/login", data=key, headers=headers).headers["set-cookie"]
            for headers in ({}, {"X-Forwarded-Proto": "https"})
        ]

    assert ["secure" in cookie.lower() for cookie in cookies] == [False, True]
    assert [cookie.partition("=")[0] for cookie in cookies] == [
        "ideapool_session",
        "__Host-ideapool_session",
    ]


def test_another_host_name_is_refused(setup: Setup) -> None:
    answer = setup.http.get(f"{setup.path}/livez", headers={"Host": "other.example.org"})

    # nginx passes unknown names to its only server; Caddy serves none and answers with nothing.
    assert answer.status_code == 403 or answer.text == ""
