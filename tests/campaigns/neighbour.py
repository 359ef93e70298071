"""Somebody who only wants a page while others misuse the server: how long each answer took them."""

import threading
import time
from types import TracebackType

import httpx2

from benchmarks.figures import percentile
from tests.campaigns.report import Report
from tests.support.app_server import Server

PAUSE_S = 0.1
ANSWERED_S = 5.0
PATHS = ("/livez", "/api/v1/ideas?limit=30", "/api/v1/boards")


class Neighbour(threading.Thread):
    """Asks while the block lasts, one thing after the other."""

    def __init__(self, server: Server) -> None:
        super().__init__(name="neighbour", daemon=True)
        self.took_s: list[float] = []
        self.faults: list[str] = []
        self._url = server.url
        self._is_over = threading.Event()

    def __enter__(self) -> "Neighbour":
        self.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self.join()

    def run(self) -> None:
        with httpx2.Client(base_url=self._url, timeout=60, trust_env=False) as http:
            while not self._is_over.wait(PAUSE_S):
                path = PATHS[len(self.took_s) % len(PATHS)]
                began = time.monotonic()
                try:
                    status = http.get(path).status_code
                except httpx2.TransportError as error:
                    self.faults.append(f"{path}: {error!r}")
                    continue
                self.took_s.append(time.monotonic() - began)
                if status != 200:
                    self.faults.append(f"{path}: {status}")

    def add_to(self, report: Report, *, refusals: int = 0, unless: str = "") -> None:
        """Whether each request was answered in time, but for so many `refusals`."""
        report.add(
            "requests of a neighbour meanwhile",
            len(self.took_s),
            found=str(self),
            promised=f"each is answered within {ANSWERED_S:.0f} s{unless}",
            holds=len(self.faults) <= refusals and self.longest_s < ANSWERED_S,
        )

    @property
    def median_s(self) -> float:
        return percentile(self.took_s, 0.5)

    @property
    def longest_s(self) -> float:
        return max(self.took_s)

    def __str__(self) -> str:
        return (
            f"median {self.median_s * 1000:.0f} ms, p99 "
            f"{percentile(self.took_s, 0.99) * 1000:.0f} ms, longest {self.longest_s:.2f} s, "
            f"{len(self.faults)} faults"
        )
