"""What server and model process tell each other: typed messages, and their bytes."""

import json
import select
import socket
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from service.engine.types import (
    CacheLayout,
    Delta,
    Outcome,
    Request,
    Started,
)
from service.errors import EngineError, InvalidInput, ModelUnavailable, PromptTooLong, ServiceError
from service.messages import pack, unpack

HEADER_BYTES = 4
FRAME_LIMIT_BYTES = 256 * 1024 * 1024
READ_BYTES = 65536
OUT_OF_STEP = "This is no frame: the two ends are out of step."


@dataclass(frozen=True, slots=True)
class Load:
    """Open a model; where weights are open already, they are shared.

    `tokens` is the context of one request, `cache_tokens` the cells of the whole cache.
    """

    weights: str
    tokens: int
    slots: int
    cache: CacheLayout
    cache_tokens: int
    threads: int | None
    gpu_layers: int
    chat_template: str | None
    adapter: str | None
    adapter_scale: float


@dataclass(frozen=True, slots=True)
class Unload:
    """Free a model, which runs nothing; weights go with the last model that has them."""


@dataclass(frozen=True, slots=True)
class Cancel:
    pass


@dataclass(frozen=True, slots=True)
class Loading:
    progress: float


@dataclass(frozen=True, slots=True)
class Loaded:
    """`tokens` is the context a request really has.

    `weights_bytes` is the same for all models that share the weights; `own_bytes` is what this one
    needs besides: its caches and its adapter.
    """

    tokens: int
    weights_bytes: int
    own_bytes: int


@dataclass(frozen=True, slots=True)
class Unloaded:
    """The model's memory is free."""


@dataclass(frozen=True, slots=True)
class LoadFailed:
    detail: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A cancelled request is over; its place is free."""


@dataclass(frozen=True, slots=True)
class Failure:
    """`detail` is a text as `wording.pack` gives it."""

    kind: str
    detail: Any


Command = Load | Unload | Cancel | Request
ModelReport = Loading | Loaded | LoadFailed | Unloaded
Report = ModelReport | Ended | Failure | Started | Delta | Outcome
Body = Command | Report
# A body and whom it is about: a request's id, or a model's name for the load messages.
Envelope = tuple[str, Body]

BODIES: dict[str, type[Body]] = {
    kind.__name__: kind for kind in (*Command.__args__, *Report.__args__)
}
ERRORS: dict[str, type[ServiceError]] = {
    kind.__name__: kind for kind in (EngineError, ModelUnavailable, PromptTooLong, InvalidInput)
}


def failure_of(error: ServiceError) -> Failure:
    kind = type(error).__name__
    return Failure(kind if kind in ERRORS else EngineError.__name__, pack(error.detail))


def error_of(failure: Failure) -> ServiceError:
    return ERRORS[failure.kind](unpack(failure.detail))


def encode(envelopes: Iterable[Envelope]) -> bytes:
    """One frame; without envelopes it is a sign of life."""
    payload = json.dumps([_packed(about, body) for about, body in envelopes]).encode("ascii")
    return len(payload).to_bytes(HEADER_BYTES, "big") + payload


def decode(payload: bytes) -> list[Envelope]:
    """Raises ValueError if the payload is no frame of ours."""
    entries = json.loads(payload)
    if not isinstance(entries, list):
        raise ValueError(OUT_OF_STEP)
    return [_unpacked(entry) for entry in entries]


def _packed(about: str, body: Body) -> tuple[str, str] | tuple[str, str, dict[str, Any]]:
    # Nearly all that is sent is text without logprobs, hundreds of times a second; as a pair it
    # costs a tenth of what it does as fields by name.
    if type(body) is Delta and not body.logprobs:
        return about, body.text
    return about, type(body).__name__, asdict(body)


def _unpacked(entry: object) -> Envelope:
    # The pair again; `match` would take three times as long.
    if type(entry) is list and len(entry) == 2 and type(entry[0]) is type(entry[1]) is str:
        return entry[0], Delta(entry[1])
    match entry:
        case [str(about), str(kind), data] if kind in BODIES:
            return about, _adapter(kind).validate_python(data)
    raise ValueError(OUT_OF_STEP)


def payload_size(header: bytes) -> int:
    size = int.from_bytes(header, "big")
    if size > FRAME_LIMIT_BYTES:
        raise ValueError(OUT_OF_STEP)
    return size


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(BODIES[kind])


class Channel:
    """The model process's end: one thread that decodes, and looks for commands in between."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._received = bytearray()

    def send(self, envelopes: Iterable[Envelope]) -> None:
        self._socket.sendall(encode(envelopes))

    def receive(self, timeout_s: float | None) -> list[Envelope]:
        """What has come; waits for something unless `timeout_s` says how long.

        Raises:
            EOFError: the server is gone.
        """
        envelopes: list[Envelope] = []
        while not envelopes and select.select([self._socket], [], [], timeout_s)[0]:
            data = self._socket.recv(READ_BYTES)
            if not data:
                raise EOFError
            self._received += data
            while (frame := self._next_frame()) is not None:
                envelopes += decode(frame)
        return envelopes

    def _next_frame(self) -> bytes | None:
        if len(self._received) < HEADER_BYTES:
            return None
        end = HEADER_BYTES + payload_size(bytes(self._received[:HEADER_BYTES]))
        if len(self._received) < end:
            return None
        frame = bytes(self._received[HEADER_BYTES:end])
        del self._received[:end]
        return frame
