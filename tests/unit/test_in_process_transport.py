"""Requests to an app of the same process: answers arrive as they are sent, and leaving is noticed."""

import asyncio
from typing import Any

import httpx2
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from service.web.mcp.in_process import InProcessTransport


def client(app: ASGIApp) -> httpx2.AsyncClient:
    transport = InProcessTransport(app, client=("192.0.2.7", 4711))
    return httpx2.AsyncClient(transport=transport, base_url="http://localhost")


async def begin(send: Send, status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"x", b"y")]})


async def part(send: Send, body: bytes, *, more: bool) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


def test_the_app_sees_the_request_and_the_address_of_the_client() -> None:
    seen: dict[str, Any] = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.update(scope, body=(await receive())["body"])
        await begin(send, 201)
        await part(send, b"done", more=False)

    async def story() -> httpx2.Response:
        async with client(app) as http:
            return await http.post("/a%20b?c=d", json={"e": 1}, headers={"X-Name": "v"})

    answer = asyncio.run(story())

    assert (answer.status_code, answer.headers["x"], answer.text) == (201, "y", "done")
    assert (seen["path"], seen["raw_path"], seen["query_string"]) == ("/a b", b"/a%20b", b"c=d")
    assert seen["client"] == ("192.0.2.7", 4711)
    assert seen["body"] == b'{"e":1}'
    assert (b"x-name", b"v") in seen["headers"]


def test_parts_of_an_answer_arrive_before_its_end() -> None:
    async def story() -> list[bytes]:
        go_on = asyncio.Event()

        async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
            await begin(send)
            await part(send, b"one", more=True)
            await go_on.wait()
            await part(send, b"two", more=False)

        got = []
        async with client(app) as http, http.stream("GET", "/") as answer:
            async for each in answer.aiter_raw():
                got.append(each)
                go_on.set()
        return got

    assert asyncio.run(story()) == [b"one", b"two"]


def test_an_app_notices_that_its_client_left_and_nothing_of_the_request_remains() -> None:
    async def story() -> list[str]:
        noticed = []

        async def app(_scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await begin(send)
            await part(send, b"one", more=True)
            noticed.append((await receive())["type"])
            await part(send, b"too late", more=False)

        async with client(app) as http, http.stream("GET", "/") as answer:
            await anext(answer.aiter_raw())
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return noticed

    assert asyncio.run(story()) == ["http.disconnect"]


def test_a_request_that_is_given_up_before_its_answer_disconnects_too() -> None:
    async def story() -> list[str]:
        noticed = []
        is_waiting = asyncio.Event()

        async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
            await receive()
            is_waiting.set()
            noticed.append((await receive())["type"])

        async with client(app) as http:
            request = asyncio.create_task(http.get("/"))
            await is_waiting.wait()
            request.cancel()
            with pytest.raises(asyncio.CancelledError):
                await request
        return noticed

    assert asyncio.run(story()) == ["http.disconnect"]


@pytest.mark.parametrize("has_begun", [False, True])
def test_an_app_that_fails_breaks_its_answer_off(has_begun: bool) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        if has_begun:
            await begin(send)
            await part(send, b"one", more=True)
        raise OSError("the disk is gone")

    async def story() -> None:
        async with client(app) as http:
            await http.get("/")

    with pytest.raises(httpx2.ReadError):
        asyncio.run(story())
