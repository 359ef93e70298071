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
    Delta,
    Embedding,
    EmbedRequest,
    Finished,
    GenerateRequest,
    Probabilities,
    ProbeRequest,
    Started,
)
from service.errors import EngineError, InvalidInput, ModelUnavailable, PromptTooLong, ServiceError

HEADER_BYTES = 4
FRAME_LIMIT_BYTES = 256 * 1024 * 1024
READ_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Load:
    """Open a model; where weights are open already, they are shared."""

    weights: str
    tokens: int
    threads: int | None
    gpu_layers: int
    chat_template: str | None
    adapter: str | None
    adapter_scale: float


@dataclass(frozen=True, slots=True)
class Cancel:
    pass


@dataclass(frozen=True, slots=True)
class Loading:
    progress: float


@dataclass(frozen=True, slots=True)
class Loaded:
    """`tokens` is the context the model really has."""

    tokens: int


@dataclass(frozen=True, slots=True)
class LoadFailed:
    detail: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A cancelled request is over; its place is free."""


@dataclass(frozen=True, slots=True)
class Failure:
    kind: str
    detail: str


Command = Load | Cancel | GenerateRequest | ProbeRequest | EmbedRequest
Report = (
    Loading
    | Loaded
    | LoadFailed
    | Ended
    | Failure
    | Started
    | Delta
    | Finished
    | Probabilities
    | Embedding
)
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
    return Failure(kind if kind in ERRORS else EngineError.__name__, error.detail)


def error_of(failure: Failure) -> ServiceError:
    return ERRORS[failure.kind](failure.detail)


def encode(envelopes: Iterable[Envelope]) -> bytes:
    """One frame; without envelopes it is a sign of life."""
    plain = [(about, type(body).__name__, asdict(body)) for about, body in envelopes]
    payload = json.dumps(plain).encode("ascii")
    return len(payload).to_bytes(HEADER_BYTES, "big") + payload


def decode(payload: bytes) -> list[Envelope]:
    return [
        (about, _adapter(kind).validate_python(data)) for about, kind, data in json.loads(payload)
    ]


def payload_size(header: bytes) -> int:
    size = int.from_bytes(header, "big")
    if size > FRAME_LIMIT_BYTES:
        raise ValueError(f"A frame of {size} bytes: the two ends are out of step.")
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
