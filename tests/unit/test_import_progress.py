"""What `ideapool import` shows of a long import, and what Ctrl-C does to it."""

import asyncio
from typing import Any, cast

import httpx2
import pytest

from service.api_client.rest import Rest
from service.cli.commands import import_progress
from service.cli.commands.import_progress import carried_out
from service.errors import ServerRefused

FILE = (b"Soup\n", "text/plain")


def state(status: str, written: int = 0, **more: Any) -> dict[str, Any]:
    return {"id": "7", "status": status, "total": 9000, "written": written} | {
        "result": None,
        "error": None,
        **more,
    }


class Server:
    """Answers with one state after the other, and goes on with the last one."""

    def __init__(self, *states: dict[str, Any]) -> None:
        self._states = list(states)
        self.asked: list[str] = []

    async def call(self, method: str, path: str, **_: Any) -> httpx2.Response:
        self.asked.append(f"{method} {path}")
        return httpx2.Response(202, json=self._next())

    async def get(self, path: str) -> Any:
        self.asked.append(f"GET {path}")
        return self._next()

    async def post(self, path: str) -> Any:
        self.asked.append(f"POST {path}")
        return self._next()

    def _next(self) -> dict[str, Any]:
        return self._states.pop(0) if len(self._states) > 1 else self._states[0]


async def follow(server: Server) -> Any:
    return await carried_out(cast(Rest, server), {}, FILE, name="list.txt")


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_progress, "POLL_S", 0)


def test_a_long_import_is_followed_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    server = Server(state("writing", 200), state("writing", 4000), state("done", result={"a": 1}))

    assert asyncio.run(follow(server)) == {"a": 1}
    assert "list.txt: writing 200 of 9,000 ideas" in capsys.readouterr().err


def test_ctrl_c_stops_the_import_and_says_what_was_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = Server(state("writing", 200), state("writing", 300), state("stopped", 4000))

    async def interrupted() -> None:
        task = asyncio.create_task(follow(server))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(interrupted())
    assert "POST /imports/7/stop" in server.asked
    assert "Stopped. 4,000 of 9,000 ideas were imported." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (state("failed", error={"type": "invalid-file", "detail": "Line 3."}), "Line 3."),
        (state("stopped", 500), "500 of 9,000 ideas were imported"),
        (state("stopped", total=None), "Nothing was imported"),
    ],
)
def test_any_other_end_is_an_error(end: dict[str, Any], told: str) -> None:
    with pytest.raises(ServerRefused, match=told):
        asyncio.run(follow(Server(state("reading", total=None), end)))
