"""The checks of `ideapool doctor`: those of this machine, and the port, which a running server cannot
ask for itself.
"""

import socket
from collections.abc import Iterator
from typing import Any

import httpx2

from service.cli.connection.connect import is_ours, key_headers, usual_address
from service.engine.types import EngineStatus
from service.health import CHECKS as OF_THE_MACHINE
from service.health import Found, engine_findings
from service.settings import Settings

LOOK_S = 2


def _port(settings: Settings) -> Iterator[Found]:
    address = usual_address(settings)
    try:
        told = _readiness(settings)
        if is_ours(told):
            yield "ok", f"Ideapool runs at {address}: {told['status']}"
            return
    except ValueError:
        pass
    except httpx2.HTTPError:
        if _is_free(settings):
            yield "ok", f"{settings.host}:{settings.port} is free"
            return
    yield "broken", f"another program uses {address}", "Stop it, or set IDEAPOOL_PORT."


def _engines(settings: Settings) -> Iterator[Found]:
    """What a running server knows of them, or else what they say now."""
    try:
        engines = [EngineStatus(**one) for one in _readiness(settings)["engines"]]
    except (httpx2.HTTPError, ValueError, KeyError, TypeError):
        yield from OF_THE_MACHINE["engines"](settings)
    else:
        yield from engine_findings(engines)


def _readiness(settings: Settings) -> Any:
    """What the server that runs here says; with the key, also details."""
    address, headers = f"{usual_address(settings)}/readyz", key_headers(settings)
    return httpx2.get(address, headers=headers, timeout=LOOK_S, trust_env=False).json()


CHECKS = {**OF_THE_MACHINE, "engines": _engines, "port": _port}


def _is_free(settings: Settings) -> bool:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError:
            return False
    return True
