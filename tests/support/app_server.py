"""Starts a real server process as a user does, or serves an app of this process."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from fastapi import FastAPI

from service.settings import PROJECT_ROOT

# Long enough for a slow and busy machine: a server that takes longer hangs.
START_S = 180


def free_port() -> int:
    """Below the ports that systems give to connections, one of which could take it in the meantime."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def without_models(folder: Path) -> dict[str, str]:
    """Settings of a server that finds no model, and fetches none."""
    return {"IDEAPOOL_BUNDLED_MODELS_DIR": str(folder), "IDEAPOOL_FETCH_MODELS": "false"}


def processes_of(data_dir: Path) -> list[int]:
    """The ids of other processes that use the folder as their data folder."""
    needle = f"IDEAPOOL_DATA_DIR={data_dir}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if needle in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
    return found


def await_answer(http: httpx2.Client, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Waits until the server that the process runs answers; errors quote its log."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended: {log.read_text()}")
        with contextlib.suppress(httpx2.HTTPError):
            if http.get("/readyz").status_code == 200:
                return
        time.sleep(0.05)
    raise TimeoutError(f"not ready after {START_S} s: {log.read_text()}")


class Server:
    """`ideapool serve` on a free port; `environment` overrides its settings.

    By default it uses the real small model.
    """

    command: Sequence[str] = (sys.executable, "-m", "service", "serve")

    def __init__(self, data_dir: Path, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx2.Client(base_url=self.url, timeout=120)
        self._log = data_dir / "server.log"
        self._environment = os.environ | {
            "IDEAPOOL_PORT": str(self.port),
            "IDEAPOOL_DATA_DIR": str(data_dir),
            "IDEAPOOL_BUNDLED_MODELS_DIR": str(PROJECT_ROOT / "data" / "models"),
            "IDEAPOOL_MODEL": "small",
            # So that a test gets exactly the ideas that its model writes.
            "IDEAPOOL_IDEA_BANK": "false",
            "IDEAPOOL_BOARD_IDEAS": "false",
            **environment,
        }
        self.process: subprocess.Popen[bytes]

    def start(self) -> None:
        """Waits until the server answers, which may be before its models are ready."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=self._environment,
                cwd=PROJECT_ROOT,
                stdout=log,
                stderr=log,
            )
        await_answer(self.http, self.process, self._log)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def await_models(self) -> None:
        while any(one["state"] != "ready" for one in self.models.values()):
            time.sleep(0.05)

    @property
    def models(self) -> dict[str, Any]:
        models: dict[str, Any] = self.http.get("/readyz").json()["models"]
        return models

    def model_process(self) -> int:
        """The process id of the child process that runs the models."""
        tasks = Path(f"/proc/{self.process.pid}/task")
        children = [
            int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()
        ]
        workers = [
            pid for pid in children if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        return workers[0]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> float:
        """Sends SIGTERM and returns the seconds that the server took to end."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(START_S)
        return time.monotonic() - began


@contextlib.contextmanager
def serving(data_dir: Path, **environment: str) -> Iterator[Server]:
    with running(Server(data_dir, **environment)) as server:
        yield server


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        if server.process.poll() is None:
            server.kill()
        server.http.close()


def listening(port: int = 0) -> socket.socket:
    """A socket that reserves the port; if it is 0, the system chooses a free one."""
    return socket.create_server(("127.0.0.1", port))


def url_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def served(app: FastAPI, listener: socket.socket | None = None) -> Iterator[str]:
    """Serves an app in this process, for backends that exist only here, and yields its URL.

    A given `listener` stays open, so that several apps can use the same address in turn.
    """
    own = listening() if listener is None else listener.dup()
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [own]})
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the app did not start")
            time.sleep(0.01)
        yield url_of(own)
    finally:
        server.should_exit = True
        thread.join(10)
        server.force_exit = True
        thread.join()
        own.close()
