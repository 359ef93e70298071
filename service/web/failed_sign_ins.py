"""Counts failed sign-ins and wrong keys by address, logs each, and refuses more when there were many.

A right key is let in whatever was tried from its address. Keys have 256 random bits, so nobody guesses
one; if the limit kept right ones out, a single visitor could lock out all who share an address. What it
does is to keep noise down, and to give tools such as fail2ban something to act on.
"""

import ipaddress
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Literal

from starlette.types import Scope

from service.errors import TooManyFailures
from service.messages import Text
from service.web.client_ip import client_ip

# So many failures at once; then one more each half minute.
MOST, WITHIN_S = 10, 300.0
ADDRESSES = 10_000
UNKNOWN = "unknown"
How = Literal["login", "bearer"]
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Bucket:
    left: float
    filled_at: float


class FailedSignIns:
    """Token buckets, in memory; of many addresses those that failed longest ago are forgotten."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._lock = Lock()

    def note(self, scope: Scope, how: How) -> None:
        """Logs the failure. Raises: TooManyFailures instead if there were too many."""
        address = _address(scope)
        wait_s = self._take(_neighbourhood(address))
        if wait_s:
            raise TooManyFailures(
                Text(
                    "There were too many failed attempts from your address. Wait %(seconds)s seconds "
                    "before the next one.",
                    seconds=wait_s,
                ),
                retry_after_s=wait_s,
            )
        _log.warning("failed sign-in from %s (%s)", address, how)

    def __len__(self) -> int:
        return len(self._buckets)

    def _take(self, address: str) -> int:
        """Takes a token; returns the seconds until there is one if there is none."""
        moment = self._clock()
        with self._lock:
            bucket = self._buckets.setdefault(address, _Bucket(MOST, moment))
            self._buckets.move_to_end(address)
            if len(self._buckets) > ADDRESSES:
                self._buckets.popitem(last=False)
            gained = (moment - bucket.filled_at) * MOST / WITHIN_S
            bucket.left, bucket.filled_at = min(MOST, bucket.left + gained), moment
            if bucket.left < 1:
                return max(1, math.ceil((1 - bucket.left) * WITHIN_S / MOST))
            bucket.left -= 1
            return 0


def _address(scope: Scope) -> str:
    """The client's, after the proxies that the server trusts. Anything else that a proxy passes on is not
    written to the log.
    """
    client = scope.get("client")
    ip = client_ip(client[0] if client else "")
    return UNKNOWN if ip is None else str(ip).partition("%")[0]


def _neighbourhood(address: str) -> str:
    """Whoever has an address of IPv6 has all of its network."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network(f"{address}/64", strict=False))
