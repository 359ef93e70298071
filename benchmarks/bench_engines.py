"""How much several engines answer together beside one: `python -m benchmarks.bench_engines`.

The engines are scripted: each has the same number of slots and takes the same time for a token
however many it writes, so what is measured is the choice of engines and not the machine. Real
engines on one machine share its cores and gain less. Prints a table.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

from service.engine.remote import Address, RemoteBackend
from service.engine.types import Delta, GenerateRequest, Message
from tests.support.remote_requests import until
from tests.support.scripted_server import (
    CHATS,
    END,
    MODELS,
    Script,
    ScriptedServer,
    chunk,
    model_list,
    reply,
    scripted,
    stream,
)


@dataclass(frozen=True, slots=True)
class Load:
    requests: int
    tokens: int
    token_s: float
    slots: int

    def answer(self) -> Script:
        pieces = [part for _ in range(self.tokens) for part in (self.token_s, chunk("word "))]
        return stream(*pieces, END)


@dataclass(frozen=True, slots=True)
class Measured:
    """`shares` are the answers of each engine."""

    tokens_per_s: float
    shares: tuple[int, ...]


async def measure(engines: int, load: Load) -> Measured:
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(scripted()) for _ in range(engines)]
        for server in servers:
            _prepare(server, load)
        backend = RemoteBackend(
            *(Address(server.url) for server in servers), queue_limit=load.requests
        )
        await backend.start()
        stack.push_async_callback(backend.close)
        await until(lambda: backend.models()[0].state == "ready")
        began = time.monotonic()
        counts = await asyncio.gather(*(_ask(backend, n) for n in range(load.requests)))
        took_s = time.monotonic() - began
        return Measured(sum(counts) / took_s, tuple(len(one.asked(CHATS)) for one in servers))


def _prepare(server: ScriptedServer, load: Load) -> None:
    server.plays |= {
        MODELS: [model_list("m", owned_by="llamacpp")],
        "GET /props": [reply(200, {"total_slots": load.slots})],
        CHATS: [load.answer()],
    }


async def _ask(backend: RemoteBackend, number: int) -> int:
    request = GenerateRequest(f"r{number}", "m", (Message("user", f"{number}"),), 1000)
    async with aclosing(backend.submit(request)) as events:
        return sum([isinstance(event, Delta) async for event in events])


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--requests", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=50, help="of each answer")
    parser.add_argument("--token-ms", type=float, default=20.0)
    parser.add_argument("--slots", type=int, default=4, help="of each engine")
    parser.add_argument("--engines", type=int, nargs="+", default=[1, 2, 4])
    options = parser.parse_args(arguments)
    load = Load(options.requests, options.tokens, options.token_ms / 1000, options.slots)
    print("| engines | tokens/s | to one engine | answers of each |")
    print("|---|---|---|---|")
    first: float | None = None
    for count in options.engines:
        found = asyncio.run(measure(count, load))
        first = first or found.tokens_per_s
        shares = ", ".join(map(str, found.shares))
        ratio = found.tokens_per_s / first
        print(f"| {count} | {found.tokens_per_s:.0f} | {ratio:.2f} | {shares} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
