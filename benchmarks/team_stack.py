"""PostgreSQL, servers of Ideapool on it, an engine and nginx, without containers.

`python -m benchmarks.team_stack` starts them in a temporary folder, prints the address and stops all
of them at Ctrl-C. It needs Debian's packages `postgresql` and `nginx-light`. `team_stack()` is for
programs that kill servers and start them again.
"""

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import httpx2

from service.settings import PROJECT_ROOT
from tests.support.app_server import START_S, free_port
from tests.support.postgresql import PostgresServer

Engine = Literal["scripted", "small"]
# The model of each engine that answers.
MODELS: dict[Engine, str] = {"scripted": "fake", "small": "smollm2-135m"}
REPLICAS = 2
# A database that forgets nothing when it is killed, unlike that of the tests.
DURABLE = {"listen_addresses": "", "max_connections": "100"}
NGINX_CONF = PROJECT_ROOT / "docs" / "operate" / "team" / "nginx.conf"
# Around the configuration of the documentation.
_NGINX = """
daemon off;
worker_processes 1;
worker_rlimit_nofile 8192;
pid nginx.pid;
error_log nginx.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path other;
    uwsgi_temp_path other;
    scgi_temp_path other;
    {server}
}}
"""


@dataclass(slots=True)
class Program:
    """A process with its log; `url` answers at `/readyz` once it is ready."""

    command: Sequence[str]
    url: str
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=os.environ | self.environment,
                cwd=PROJECT_ROOT,
                stdout=log,
                stderr=log,
                # Its own group, so that Ctrl-C reaches only this program, which ends the others.
                start_new_session=True,
            )

    def await_answer(self) -> None:
        until = time.monotonic() + START_S
        # One client for all tries: to make one takes as long as a server's answer.
        with httpx2.Client(trust_env=False, timeout=5) as http:
            while time.monotonic() < until:
                if self.process is None or self.process.poll() is not None:
                    raise RuntimeError(f"{self.command[0]} ended: {self.log.read_text()[-2000:]}")
                with contextlib.suppress(httpx2.HTTPError):
                    if http.get(f"{self.url}/readyz").status_code == 200:
                        return
                time.sleep(0.05)
        raise TimeoutError(f"{self.command[0]} does not answer: {self.log.read_text()[-2000:]}")

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None and self.is_running:
            # With all that it has started.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            self.process.wait(START_S)


class TeamStack:
    """`url` is the proxy's, if there is one. Servers are named by their place in `replicas`, from 0."""

    def __init__(
        self, folder: Path, database: PostgresServer, database_url: str, engine: Program
    ) -> None:
        self.database = database
        self.database_url = database_url
        self.engine = engine
        self.replicas: list[Program] = []
        self.proxy: Program | None = None
        self.url = ""
        self._folder = folder

    def add_replica(self, **environment: str) -> None:
        port, name = free_port(), f"replica-{len(self.replicas) + 1}"
        # One data folder for all, as in compose.yaml.
        settings = {
            "IDEAPOOL_PORT": str(port),
            "IDEAPOOL_REPLICA": name,
            "IDEAPOOL_DATA_DIR": str(self._folder / "data"),
            "IDEAPOOL_DATABASE_URL": self.database_url,
            "IDEAPOOL_ENGINE_URL": self.engine.url,
            **environment,
        }
        self.replicas.append(_program("service", "serve", port, self._folder / name, settings))

    def add_proxy(self) -> None:
        port, folder = free_port(), self._folder / "nginx"
        folder.mkdir()
        server = NGINX_CONF.read_text().replace("listen 8080", f"listen 127.0.0.1:{port}")
        server = re.sub(r"( +server replica-\d:8000 .*;\n)+", self._upstream, server)
        (folder / "nginx.conf").write_text(_NGINX.format(server=server))
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        command = [program, "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"]
        self.url = f"http://127.0.0.1:{port}"
        self.proxy = Program(command, self.url, folder / "log")

    def _upstream(self, named: re.Match[str]) -> str:
        """Our servers in the place of those that the configuration names, with the same options."""
        addresses = [one.url.removeprefix("http://") for one in self.replicas]
        options = dict.fromkeys(re.findall(r":8000 (.*);", named[0]))
        lines = [f"    server {address} {one};\n" for one in options for address in addresses]
        return "".join(lines)

    def start(self, place: int) -> None:
        """Waits until the server answers."""
        self.replicas[place].start()
        self.replicas[place].await_answer()

    def kill(self, place: int) -> None:
        """As a machine that loses its power does."""
        self.replicas[place].kill()

    def stop(self, place: int) -> None:
        self.replicas[place].stop()


@contextmanager
def team_stack(
    *,
    engine: Engine = "scripted",
    replicas: int = REPLICAS,
    has_proxy: bool = True,
    token_s: float | None = None,
    **environment: str,
) -> Iterator[TeamStack]:
    """All of it, running. `environment` is for the servers of Ideapool, `token_s` the pace of the
    scripted engine.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ideapool-team-")))
        database = PostgresServer(DURABLE)
        stack.callback(database.remove)
        database.start()
        url = stack.enter_context(database.database())
        team = TeamStack(folder, database, url, _engine(engine, folder, token_s))
        for _ in range(replicas):
            team.add_replica(IDEAPOOL_ENGINE_MODEL=MODELS[engine], **environment)
        if has_proxy:
            team.add_proxy()
        for program in filter(None, (team.engine, *team.replicas, team.proxy)):
            stack.callback(program.stop)
            program.start()
            program.await_answer()
        yield team


def _engine(kind: Engine, folder: Path, token_s: float | None) -> Program:
    port, data = free_port(), folder / "engine"
    if kind == "scripted":
        data.mkdir()
        command = [sys.executable, "-m", "benchmarks.team_engine", str(port), str(data)]
        command += [] if token_s is None else [str(token_s)]
        return Program(command, f"http://127.0.0.1:{port}", folder / "engine.log")
    settings = {
        "IDEAPOOL_PORT": str(port),
        "IDEAPOOL_DATA_DIR": str(data),
        "IDEAPOOL_BUNDLED_MODELS_DIR": str(PROJECT_ROOT / "data" / "models"),
        "IDEAPOOL_MODEL": "small",
    }
    return _program("service", "serve", port, data, settings)


def _program(
    module: str, command: str, port: int, folder: Path, settings: dict[str, str]
) -> Program:
    log = folder.with_suffix(".log")
    return Program(
        [sys.executable, "-m", module, command], f"http://127.0.0.1:{port}", log, settings
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--engine", choices=("scripted", "small"), default="small")
    parser.add_argument("--replicas", type=int, default=REPLICAS)
    options = parser.parse_args()
    with (
        contextlib.suppress(KeyboardInterrupt),
        team_stack(engine=options.engine, replicas=options.replicas) as team,
    ):
        print(f"Ideapool is at {team.url}", flush=True)
        for place, one in enumerate(team.replicas, start=1):
            print(f"replica-{place} is at {one.url}", flush=True)
        print(f"the engine is at {team.engine.url}; Ctrl-C stops everything", flush=True)
        signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main())
