"""Bounds what a connection may cost before the app sees a request: header bytes and count, the time for
headers, bodies and reading, and the number of connections.
"""

import asyncio
import ipaddress
import logging
import resource
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

# Descriptors for the database, models, files and logs.
RESERVED_FILES = 200
LOG_EVERY_S = 60.0
REASONS = {
    431: "Request Header Fields Too Large",
    408: "Request Timeout",
    503: "Service Unavailable",
}
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """`per_address` does not count for this machine and `proxies`, who come for many people."""

    connections: int = 2000
    per_address: int = 200
    proxies: Collection[Network] = ()
    head_bytes: int = 64 * 1024
    headers: int = 100
    head_s: float = 20.0
    body_s: float = 30.0
    body_bytes_per_s: float = 4096.0
    stalled_s: float = 60.0


@dataclass(slots=True)
class OpenConnections:
    """Counts the open connections, and says once in a while that some were refused."""

    limits: ConnectionLimits
    count: int = 0
    by_address: Counter[str] = field(default_factory=Counter)
    _logged_at: dict[str, float] = field(default_factory=dict)

    def add(self, address: str) -> bool:
        """Whether there is room for it; call `remove` in either case."""
        self.count += 1
        self.by_address[address] += 1
        if self.count > min(self.limits.connections, _files()):
            self.note("too many connections", address)
            return False
        if self.by_address[address] > self.limits.per_address and not self._is_exempt(address):
            self.note("too many connections of one address", address)
            return False
        return True

    def remove(self, address: str) -> None:
        self.count -= 1
        self.by_address[address] -= 1
        if not self.by_address[address]:
            del self.by_address[address]

    def note(self, problem: str, address: str) -> None:
        now = time.monotonic()
        if now - self._logged_at.get(problem, -LOG_EVERY_S) >= LOG_EVERY_S:
            self._logged_at[problem] = now
            _log.warning("Refused %s: %s; not logged again for a minute", address, problem)

    def _is_exempt(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        ip = getattr(ip, "ipv4_mapped", None) or ip
        return ip.is_loopback or any(ip in network for network in self.limits.proxies)


class BoundedConfig(uvicorn.Config):
    """Serves with `BoundedProtocol`."""

    def __init__(self, app: Any, limits: ConnectionLimits, **options: Any) -> None:
        # A connection that becomes a WebSocket would leave our protocol, and the app has none.
        super().__init__(app, http=BoundedProtocol, ws="none", **options)
        self.open_connections = OpenConnections(limits)


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which by itself keeps headers without limit and waits without end."""

    def __init__(
        self,
        config: BoundedConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._open = config.open_connections
        self._limits = config.open_connections.limits
        self._address = ""
        self._timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._is_refused = False
        # Bytes that came and were no part of a body: the parser keeps them.
        self._kept_bytes = 0
        self._header_count = 0
        self._body_began = 0.0
        self._body_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        if not self._open.add(self._address):
            self._refuse(503)
            return
        self._arm(self._limits.head_s, self._on_slow_head)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.remove(self._address)
        self._disarm()
        self._end_stall()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._kept_bytes += len(data)
        super().data_received(data)
        if self._kept_bytes > self._limits.head_bytes:
            self._refuse(431, "too many bytes of headers")

    def on_message_begin(self) -> None:
        self._header_count = 0
        if self._timer is None:
            self._arm(self._limits.head_s, self._on_slow_head)
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        if self._header_count <= self._limits.headers:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._is_refused:
            return
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if self._header_count > self._limits.headers or size > self._limits.head_bytes:
            self._refuse(431, "too many headers")
            return
        self._kept_bytes = 0
        self._body_began, self._body_bytes = time.monotonic(), 0
        self._arm(self._limits.body_s, self._on_slow_body)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._is_refused:
            self._kept_bytes = 0
            self._body_bytes += len(body)
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._is_refused:
            self._kept_bytes = 0
            self._disarm()
            super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._end_stall()
        self._stall_timer = self.loop.call_later(self._limits.stalled_s, self._on_stall)

    def resume_writing(self) -> None:
        self._end_stall()
        super().resume_writing()

    def _on_slow_head(self) -> None:
        if self._kept_bytes:
            self._refuse(408, "headers took too long")
        else:
            # Browsers open connections that they may never need.
            self.transport.close()

    def _on_slow_body(self) -> None:
        """A large body may take its time, as long as it comes."""
        granted = self._limits.body_s + self._body_bytes / self._limits.body_bytes_per_s
        left = self._body_began + granted - time.monotonic()
        # While nothing is read, because the app has not taken what came, the sender is not to blame.
        if self.flow.read_paused or left > 0:
            self._arm(max(left, 1.0), self._on_slow_body)
        else:
            self._refuse(408, "a body took too long")

    def _on_stall(self) -> None:
        self._open.note("it does not read its answers", self._address)
        self.transport.abort()

    def _arm(self, delay_s: float, then: Any) -> None:
        self._disarm()
        self._timer = self.loop.call_later(delay_s, then)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_stall(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _refuse(self, status: int, problem: str = "") -> None:
        """Answer without the app, unless it has begun to, and close the connection."""
        if self._is_refused or self.transport.is_closing():
            return
        self._is_refused = True
        self._disarm()
        if problem:
            self._open.note(problem, self._address)
        if getattr(self.cycle, "response_complete", True):
            self.transport.write(
                f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Length: 0\r\nRetry-After: 5\r\n"
                "Connection: close\r\n\r\n".encode()
            )
        self.transport.close()


def _files() -> int:
    """Connections that the limit of open files leaves room for."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft - RESERVED_FILES if soft != resource.RLIM_INFINITY else 2**31
