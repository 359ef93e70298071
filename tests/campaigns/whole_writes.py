"""Programs whose writes are stored as a whole or not at all, and what of them was torn or lost."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.team_client import Body, Client

TOGETHER = 10
STATUSES = ("draft", "kept", "in-progress", "done")


@dataclass(slots=True)
class Whole:
    """`torn` says where a part was stored, and `lost` which acknowledged writes are not there."""

    client: Client
    acknowledged: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    async def new_board(self, name: str) -> str:
        return str((await self.client.post("/boards", {"name": name})).body["id"])

    async def ask(self, what: str, path: str, body: Body, **headers: str) -> Any:
        """The answer; None if there was none or it was refused."""
        answer = await self.client.post(path, body, **headers)
        if not answer.is_acknowledged:
            text = "" if answer.response is None else answer.response.text
            self.refused.append(f"{what}: {answer.status} {text[:200]}")
            return None
        self.acknowledged[what] += 1
        return answer.body

    async def ideas(self, board: str) -> list[dict[str, Any]]:
        """Those that are there while nobody adds any."""
        found: list[dict[str, Any]] = []
        following: str | None = f"/ideas?board={board}&limit=100"
        while following:
            answer = await self.client.get(following)
            assert answer.response is not None, following
            found += answer.response.raise_for_status().json()
            following = answer.following
        return found


@dataclass(slots=True)
class BulkChanges:
    """All ideas of a board get the same status in one call, so they never differ."""

    whole: Whole
    board: str = ""
    status: str = "draft"

    async def write(self, is_over: asyncio.Event) -> None:
        self.board = await self.whole.new_board("Changed together")
        ids = []
        for number in range(TOGETHER):
            idea = {"title": f"One of ten, {number}", "board_id": self.board}
            ids.append((await self.whole.client.post("/ideas", idea)).body["id"])
        while not is_over.is_set():
            wanted = random.choice([one for one in STATUSES if one != self.status])
            task = {"operation": "set_status", "ids": ids, "status": wanted}
            if await self.whole.ask("bulk change", "/ideas/bulk", task):
                self.status = wanted
            await self.check()

    async def check(self) -> None:
        seen = Counter(idea["status"] for idea in await self.whole.ideas(self.board))
        if len(seen) > 1:
            self.whole.torn.append(f"a bulk change left {dict(seen)}")
        elif seen != {self.status: TOGETHER}:
            self.whole.lost.append(f"after the change to {self.status}: {dict(seen)}")


@dataclass(slots=True)
class Imports:
    """All lines of a file become ideas once, or none does."""

    whole: Whole
    board: str = ""
    files: list[int] = field(default_factory=list)

    async def write(self, is_over: asyncio.Event) -> None:
        self.board, number = await self.whole.new_board("Imported"), 0
        while not is_over.is_set():
            number += 1
            text = "".join(f"File {number} line {line}\n" for line in range(TOGETHER))
            path = f"/import?format=lines&board={self.board}"
            if await self.whole.ask("import", path, text):
                self.files.append(number)

    async def check(self) -> None:
        seen = Counter(int(idea["title"].split()[1]) for idea in await self.whole.ideas(self.board))
        self.whole.torn += [
            f"{count} ideas of file {number}, not {TOGETHER}"
            for number, count in seen.items()
            if count != TOGETHER
        ]
        self.whole.lost += [f"file {number}" for number in self.files if number not in seen]


@dataclass(slots=True)
class Keeping:
    """Suggestions become ideas: one by itself, then the others of its run together. Each once."""

    whole: Whole
    board: str = ""
    kept: list[str] = field(default_factory=list)

    async def write(self, is_over: asyncio.Event) -> None:
        self.board = await self.whole.new_board("Kept")
        task = {"topic": "a street party", "n": 4, "board_id": self.board, "sources": ["model"]}
        while not is_over.is_set():
            run = await self.whole.ask("brainstorm", "/brainstorm", task)
            if run and run["suggestions"]:
                await self._keep(run["run_id"], run["suggestions"])

    async def _keep(self, run_id: str, suggestions: Sequence[dict[str, Any]]) -> None:
        first = await self.whole.ask("keep", f"/suggestions/{suggestions[0]['id']}/keep", {})
        others = await self.whole.ask("keep the others", f"/runs/{run_id}/keep", {})
        made = ([first] if first else []) + (others or [])
        self.kept += [idea["id"] for idea in made]
        if first and others is not None and len(made) != len(suggestions):
            self.whole.torn.append(f"{len(made)} of {len(suggestions)} suggestions were kept")

    async def check(self) -> None:
        ideas = await self.whole.ideas(self.board)
        there = {idea["id"] for idea in ideas}
        self.whole.lost += [f"the kept idea {one}" for one in self.kept if one not in there]
        titles = Counter(idea["title"] for idea in ideas)
        self.whole.torn += [f"“{title}” is there twice" for title in titles if titles[title] > 1]
