"""An HTTP server that sends scripted bytes and pauses, and notices clients that disconnect."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Script = Callable[["Call"], Awaitable[None]]
PATIENCE_S = 60.0
CHATS = "POST /v1/chat/completions"
TEXTS = "POST /v1/completions"
EMBEDDINGS = "POST /v1/embeddings"
MODELS = "GET /v1/models"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


@dataclass(slots=True)
class Call:
    """One request. `left` is set when the client closes its connection before the script ends."""

    target: str
    headers: dict[str, str]
    body: Any
    writer: asyncio.StreamWriter
    left: asyncio.Event = field(default_factory=asyncio.Event)


def reply(status: int, body: object, **headers: str) -> Script:
    """A complete response; a string is sent as HTML, anything else as JSON."""
    payload = (body if isinstance(body, str) else json.dumps(body)).encode()
    kind = "text/html" if isinstance(body, str) else "application/json"
    fields = {"Content-Type": kind, "Content-Length": str(len(payload)), "Connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())

    async def play(call: Call) -> None:
        call.writer.write(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + payload)

    return play


def stream(*parts: bytes | float | asyncio.Event, resets: bool = False) -> Script:
    """An event stream: sends bytes, sleeps for numbers, waits for events, and then closes."""
    return raw(STREAM_HEAD, *parts, resets=resets)


def raw(*parts: bytes | float | asyncio.Event, resets: bool = False) -> Script:
    async def play(call: Call) -> None:
        for part in parts:
            if isinstance(part, bytes):
                call.writer.write(part)
                await call.writer.drain()
            elif isinstance(part, asyncio.Event):
                await part.wait()
            else:
                await asyncio.sleep(part)
        if resets:
            call.writer.transport.abort()

    return play


def chunk(text: str | None = None, *, reason: str | None = None, **more: Any) -> bytes:
    """An event with a part of an answer, or with the reason for its end."""
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": reason, **more}
    return event({"choices": [choice]})


def event(data: object) -> bytes:
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


def model_list(*names: str, **more: Any) -> Script:
    entries = [{"id": name, "object": "model", **more} for name in names]
    return reply(200, {"object": "list", "data": entries})


USAGE = event(
    {
        "choices": [],
        "usage": {
            "prompt_tokens": 9,
            "completion_tokens": 2,
            "prompt_tokens_details": {"cached_tokens": 4},
        },
    }
)
DONE = b"data: [DONE]\n\n"
END = chunk(reason="stop") + USAGE + DONE
HELLO = chunk("Hel") + chunk("lo") + END


class ScriptedServer:
    """`plays` maps a method and path to the script of each call; the last one is repeated."""

    def __init__(self) -> None:
        self.plays: dict[str, Sequence[Script]] = {
            MODELS: [model_list("m")],
            CHATS: [stream(HELLO)],
        }
        self.calls: list[Call] = []
        self.running = 0
        self.peak = 0
        self.url = ""
        self.listening: asyncio.Server
        self._called = asyncio.Condition()

    def asked(self, target: str = CHATS) -> list[Call]:
        return [call for call in self.calls if call.target == target]

    async def until(self, count: int, target: str = CHATS) -> list[Call]:
        """Waits until there are `count` calls."""
        async with asyncio.timeout(PATIENCE_S), self._called:
            await self._called.wait_for(lambda: len(self.asked(target)) >= count)
        return self.asked(target)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            call = await self._call(reader, writer)
            async with self._called:
                scripts = self.plays.get(call.target, [reply(404, {"error": "nothing here"})])
                script = scripts[min(len(self.asked(call.target)), len(scripts) - 1)]
                self.calls.append(call)
                self._called.notify_all()
            self.running += 1
            self.peak = max(self.peak, self.running)
            try:
                await self._play(script, call, reader)
            finally:
                self.running -= 1
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _play(self, script: Script, call: Call, reader: asyncio.StreamReader) -> None:
        playing = asyncio.ensure_future(script(call))
        leaving = asyncio.ensure_future(reader.read(1))
        await asyncio.wait((playing, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not playing.done():
            call.left.set()
        for task in (playing, leaving):
            task.cancel()
        await asyncio.gather(playing, leaving, return_exceptions=True)

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Call:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        target = first.rpartition(" ")[0]
        return Call(target, headers, json.loads(body) if body else None, writer)


@asynccontextmanager
async def scripted() -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer()
    server.listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{server.listening.sockets[0].getsockname()[1]}"
    async with server.listening:
        yield server
