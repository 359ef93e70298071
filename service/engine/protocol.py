"""The messages between the server and the model process, and their encoding."""

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
BAD_FRAME = "This is not a frame of the protocol."


@dataclass(frozen=True, slots=True)
class Load:
    """Load a model; weights that are already loaded are shared.

    `tokens` is the context of one request, `cache_tokens` the size of the whole cache.
    """

    weights: str
    tokens: int
    slots: int
    cache: CacheLayout
    cache_tokens: int
    threads: int | None
    gpu_layers: int
    chat_template: str | None
    answer_prefix: str | None
    adapter: str | None
    adapter_scale: float


@dataclass(frozen=True, slots=True)
class Unload:
    """Free a model without running requests; its weights are freed with the last model of them."""


@dataclass(frozen=True, slots=True)
class Cancel:
    pass


@dataclass(frozen=True, slots=True)
class Loading:
    progress: float


@dataclass(frozen=True, slots=True)
class Loaded:
    """`tokens` is the context of a request, at most what the model was trained with.

    `weights_bytes` is the size of the weights, which models may share; `own_bytes` is the memory
    of this model alone.
    """

    tokens: int
    weights_bytes: int
    own_bytes: int


@dataclass(frozen=True, slots=True)
class Unloaded:
    """The memory of the model has been freed."""


@dataclass(frozen=True, slots=True)
class LoadFailed:
    detail: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A cancelled request has stopped; its slot is free."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A request has failed; `detail` is a text packed by `messages.pack`."""

    kind: str
    detail: Any


Command = Load | Unload | Cancel | Request
ModelReport = Loading | Loaded | LoadFailed | Unloaded
Report = ModelReport | Ended | Failure | Started | Delta | Outcome
Body = Command | Report
# The id of the request, or the name of the model, that a message is about; and the message.
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
    """The bytes of one frame; a frame without envelopes is a heartbeat."""
    payload = json.dumps([_packed(subject, body) for subject, body in envelopes]).encode("ascii")
    return len(payload).to_bytes(HEADER_BYTES, "big") + payload


def decode(payload: bytes) -> list[Envelope]:
    """Raises ValueError if the payload is not that of a frame."""
    entries = json.loads(payload)
    if not isinstance(entries, list):
        raise ValueError(BAD_FRAME)
    return [_unpacked(entry) for entry in entries]


def _packed(subject: str, body: Body) -> tuple[str, str] | tuple[str, str, dict[str, Any]]:
    # Nearly all messages are deltas without logprobs, hundreds of them a second. Encoding one as
    # a pair takes a tenth of the time of encoding it by field names.
    if type(body) is Delta and not body.logprobs:
        return subject, body.text
    return subject, type(body).__name__, asdict(body)


def _unpacked(entry: object) -> Envelope:
    # A pair, as above; `match` would take three times as long.
    if type(entry) is list and len(entry) == 2 and type(entry[0]) is type(entry[1]) is str:
        return entry[0], Delta(entry[1])
    match entry:
        case [str(subject), str(kind), data] if kind in BODIES:
            return subject, _adapter(kind).validate_python(data)
    raise ValueError(BAD_FRAME)


def payload_size(header: bytes) -> int:
    size = int.from_bytes(header, "big")
    if size > FRAME_LIMIT_BYTES:
        raise ValueError(BAD_FRAME)
    return size


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(BODIES[kind])


class Channel:
    """The model process's end of the socket, used by its one decoding thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._received = bytearray()

    def send(self, envelopes: Iterable[Envelope]) -> None:
        self._socket.sendall(encode(envelopes))

    def receive(self, timeout_s: float | None) -> list[Envelope]:
        """The messages that have arrived.

        It waits for at least one, but no longer than `timeout_s` seconds if that is not None.

        Raises:
            EOFError: the server has closed its end.
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
