"""The servers under test: how each is started as its own users would, all on the same file."""

import contextlib
import ctypes
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import workload
from benchmarks.results import DEFAULTS, OURS, PACKAGED, PYTHON
from service.engine.types import CacheLayout
from service.settings import PROJECT_ROOT
from tests.support.app_server import free_port

PEER_BIN = PROJECT_ROOT / ".venv-bench" / "bin"
SHORT_SPIN = {"GOMP_SPINCOUNT": "1000"}
PR_SET_PDEATHSIG = 1
START_S = 120
STOP_S = 15
ANSWER_S = 300


@dataclass(frozen=True, slots=True)
class Setup:
    """What all servers get: `context` is the tokens of one slot."""

    model: Path
    threads: int
    slots: int
    context: int
    cache: CacheLayout
    folder: Path


@dataclass(frozen=True, slots=True)
class Peer:
    """`health` is the path that says it is alive, where a server has one."""

    name: str
    command: Callable[[Setup, int], list[str]]
    ready: str
    health: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    program: Path = PEER_BIN / "python"

    @property
    def is_installed(self) -> bool:
        return self.program.is_file()


@dataclass(slots=True)
class Running:
    peer: Peer
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, number: int, max_tokens: int) -> None:
        """One whole answer; also the way to wait for what was asked before and cut off."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)
        with contextlib.closing(connection):
            content = workload.question(number).body(model="bench", max_tokens=max_tokens)
            kind = {"Content-Type": "application/json"}
            connection.request("POST", "/v1/chat/completions", content, kind)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{self.peer.name} answered {answer.status}: {text[:500]!r}")

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with (
            contextlib.closing(connection),
            contextlib.suppress(OSError, http.client.HTTPException),
        ):
            connection.request("GET", self.peer.ready)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status == 200:
                # Ours is ready for ideas before its model is.
                models = json.loads(text).get("models", {}) if self.peer.name == OURS else {}
                return all(model["state"] == "ready" for model in models.values())
        return False


@contextlib.contextmanager
def running(peer: Peer, setup: Setup) -> Iterator[Running]:
    """Started, loaded and warmed up; killed at the end if it does not go by itself."""
    port = free_port()
    log = setup.folder / f"{re.sub(r'[^a-z]+', '-', peer.name.lower())}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            peer.command(setup, port),
            env=_environment(peer, setup, port),
            cwd=PROJECT_ROOT if peer.name == OURS else setup.folder,
            stdout=output,
            stderr=output,
            # Ctrl-C is for us; a server that outlived us would spoil what is measured next.
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
    server = Running(peer, port, process, log)
    try:
        _await(server)
        for number in range(2):
            server.ask(number, max_tokens=16)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _await(server: Running) -> None:
    deadline = time.monotonic() + START_S
    while not server.is_ready():
        if server.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(
                f"{server.peer.name} did not start: {server.log.read_text()[-2000:]}"
            )
        time.sleep(0.1)


def _environment(peer: Peer, setup: Setup, port: int) -> dict[str, str]:
    """Without what this shell says on threads or on our settings."""
    ours = ("IDEAPOOL_", "OMP_", "GOMP_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    if peer.name != OURS:
        return kept | peer.environment
    data = setup.folder / "data"
    catalog = setup.folder / "catalog.toml"
    catalog.write_text(_catalog(setup))
    return kept | {
        "IDEAPOOL_CATALOG": str(catalog),
        "IDEAPOOL_DATA_DIR": str(data),
        "IDEAPOOL_PORT": str(port),
        "IDEAPOOL_THREADS": str(setup.threads),
        "IDEAPOOL_QUEUE_LIMIT": "64",
    }


def _catalog(setup: Setup) -> str:
    lines = [
        "[[model]]",
        'name = "bench"',
        'roles = ["brainstorm", "general"]',
        f'path = "{setup.model}"',
        f"context = {setup.context}",
        f"slots = {setup.slots}",
        f'cache = "{setup.cache}"',
    ]
    if setup.cache == "unified":
        lines.append(f"cache_tokens = {setup.slots * setup.context}")
    return "\n".join(lines) + "\n"


def _ours(_setup: Setup, _port: int) -> list[str]:
    return [sys.executable, "-m", "service", "serve"]


def _packaged(**parameters: object) -> Callable[[Setup, int], list[str]]:
    def command(setup: Setup, port: int) -> list[str]:
        options = {"model": str(setup.model), "threads": setup.threads, "port": port, **parameters}
        if "n_parallel" not in parameters:
            options |= {"n_parallel": setup.slots, "n_ctx": setup.slots * setup.context}
        script = Path(__file__).with_name("llama_server.py")
        return [str(PEER_BIN / "python"), str(script), json.dumps(options)]

    return command


def _compiled(*flags: str) -> Callable[[Setup, int], list[str]]:
    def command(setup: Setup, port: int) -> list[str]:
        tuned = ["-np", str(setup.slots), "-c", str(setup.slots * setup.context), *flags]
        return [
            str(PEER_BIN / "llama-server"),
            *("--model", str(setup.model), "--alias", "bench"),
            *("--host", "127.0.0.1", "--port", str(port)),
            *("--threads", str(setup.threads), "--threads-batch", str(setup.threads)),
            *tuned,
        ]

    return command


def _python_server(setup: Setup, port: int) -> list[str]:
    return [
        *(str(PEER_BIN / "python"), "-m", "llama_cpp.server"),
        *("--model", str(setup.model), "--model_alias", "bench"),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--n_threads", str(setup.threads), "--n_threads_batch", str(setup.threads)),
        *("--n_ctx", "2048", "--interrupt_requests", "false", "--verbose", "false"),
    ]


def always() -> list[Peer]:
    """Those that are measured in every round; `tuned` gives the others."""
    return [
        Peer(OURS, _ours, "/readyz", "/livez", program=Path(sys.executable)),
        Peer(DEFAULTS, _packaged(n_parallel=-1), "/health", "/health"),
        Peer(PYTHON, _python_server, "/v1/models"),
    ]


def tuned(name: str) -> dict[str, Peer]:
    """The same server in the ways its users would try, of which the fastest is to be chosen.

    As many slots as ours, flash attention, no copies of finished prompts. The cache of the slots
    is split or shared; OpenMP waits as it does by default, or with the short spin our model process
    has, which counts for much where the server's other threads want the same CPUs.
    """
    variants = {}
    for layout in ("streams", "unified"):
        is_unified = layout == "unified"
        if name == PACKAGED:
            command = _packaged(kv_unified=is_unified, flash_attn_type=1, cache_ram_mib=0)
            program = PEER_BIN / "python"
        else:
            flags = ("--flash-attn", "on", "--cache-ram", "0")
            command = _compiled(*flags, "--kv-unified" if is_unified else "--no-kv-unified")
            program = PEER_BIN / "llama-server"
        for waiting, environment in (("", {}), (", short spin", SHORT_SPIN)):
            peer = Peer(name, command, "/health", "/health", environment, program)
            variants[f"cache as {layout}{waiting}"] = peer
    return variants
