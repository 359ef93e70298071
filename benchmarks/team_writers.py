"""People who write on boards all the time, over REST, and note what was acknowledged."""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from benchmarks.team_client import Answered, Client
from benchmarks.team_ledger import Ledger, Note, Write

# One in a hundred acts each.
SHARES = {"create": 30, "edit": 28, "star": 16, "comment": 20, "brainstorm": 4, "evaluate": 2}
TRIES_TO_EDIT = 5
# One does not write on ideas that have slipped far down.
RECENT = 30
TOPICS = ("a street party", "a quieter office", "lunches children eat", "a shared garden")


class Writers:
    """They write as long as the block lasts, and finish what they began before it ends.

    Each has a board, ideas of its own and a pace of its own, around `pace_s` between two writes.
    Comments are on anybody's ideas.
    """

    def __init__(self, client: Client, boards: Sequence[str], *, count: int, pace_s: float) -> None:
        self.ledger = Ledger()
        self._client = client
        self._is_over = asyncio.Event()
        self._writers = [
            _Writer(place, client, self.ledger, boards[place % len(boards)], pace_s)
            for place in range(count)
        ]
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Writers":
        self._tasks = [asyncio.create_task(one.write(self._is_over)) for one in self._writers]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_over.set()
        await asyncio.gather(*self._tasks)

    def check(self) -> None:
        """Raises what ended a writer early."""
        for task in self._tasks:
            if task.done():
                task.result()


class _Writer:
    def __init__(
        self, place: int, client: Client, ledger: Ledger, board: str, pace_s: float
    ) -> None:
        self._place = place
        self._client = client
        self._ledger = ledger
        self._board = board
        self._chance = random.Random(place)
        self._pace_s = pace_s * self._chance.uniform(0.7, 1.3)
        self._own: list[str] = []
        self._numbers = 0
        self._acts = {
            "create": self._create,
            "edit": self._edit,
            "star": self._star,
            "comment": self._comment,
            "brainstorm": self._brainstorm,
            "evaluate": self._evaluate,
        }

    async def write(self, is_over: asyncio.Event) -> None:
        names, shares = list(SHARES), list(SHARES.values())
        pause_s = self._chance.uniform(0, self._pace_s)
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await is_over.wait()
            if is_over.is_set():
                return
            began = time.monotonic()
            name = self._chance.choices(names, shares)[0] if self._own else "create"
            if await self._acts[name]():
                self._ledger.acknowledged[name] += 1
            pause_s = max(0.0, self._pace_s - (time.monotonic() - began))

    async def _create(self) -> bool:
        title, body = self._name("Idea"), self._name("Text")
        idea = {"board_id": self._board, "title": title, "body": body}
        answer = await self._client.post("/ideas", idea)
        if not self._is_done(answer, "an idea"):
            return False
        idea_id = str(answer.body["id"])
        self._ledger.ideas[idea_id] = Note(self._board, title, answer.etag, {body})
        self._own.append(idea_id)
        self._wrote(self._board, "idea.created", idea_id, answer)
        return True

    async def _edit(self) -> bool:
        idea_id = self._recent()
        note, body = self._ledger.ideas[idea_id], self._name("Text")
        is_done = await self._change(idea_id, note, {"body": body})
        note.bodies = {body} if is_done else note.bodies | {body}
        return is_done

    async def _star(self) -> bool:
        idea_id = self._recent()
        note = self._ledger.ideas[idea_id]
        star = True not in note.stars
        is_done = await self._change(idea_id, note, {"star": star})
        note.stars = {star} if is_done else note.stars | {star}
        return is_done

    async def _change(self, idea_id: str, note: Note, change: dict[str, Any]) -> bool:
        path = f"/ideas/{idea_id}"
        for _ in range(TRIES_TO_EDIT):
            answer = await self._client.ask("PATCH", path, change, {"if-match": note.etag})
            if answer.status != 412:
                if not self._is_done(answer, "a change"):
                    return False
                note.etag = answer.etag
                self._wrote(note.board, "idea.changed", idea_id, answer)
                return True
            # The server itself has changed the idea, or an earlier request did although its answer
            # was lost.
            read = await self._client.get(path)
            if not self._is_done(read, "reading an idea"):
                return False
            note.etag = read.etag
            if answer.doubted and change.items() <= read.body.items():
                return True
            if not note.allows(read.body):
                self._ledger.overwritten.append(f"{note.title}: {read.body}")
        self._ledger.gave_up += 1
        return False

    async def _comment(self) -> bool:
        idea_id = self._chance.choice(list(self._ledger.ideas)[-10 * RECENT :])
        text = self._name("Comment")
        answer = await self._client.post(f"/ideas/{idea_id}/comments", {"body": text})
        if not self._is_done(answer, "a comment"):
            return False
        self._ledger.comments[str(answer.body["id"])] = (idea_id, text)
        self._wrote(self._ledger.ideas[idea_id].board, "comment.created", idea_id, answer)
        return True

    async def _brainstorm(self) -> bool:
        task = {"topic": self._chance.choice(TOPICS), "n": 4, "board_id": self._board}
        return await self._start("/brainstorm", task | {"sources": ["model"]})

    async def _evaluate(self) -> bool:
        return await self._start("/evaluate", {"idea_id": self._recent()})

    async def _start(self, path: str, task: dict[str, Any]) -> bool:
        answer = await self._client.post(path, task, prefer="respond-async")
        if not self._is_done(answer, "a run"):
            return False
        self._ledger.runs.append(str(answer.body["run_id"]))
        return True

    def _is_done(self, answer: Answered, what: str) -> bool:
        if answer.is_acknowledged:
            return True
        self._ledger.gave_up += 1
        text = "" if answer.response is None else answer.response.text
        self._ledger.refused.append(f"{what}: {answer.status} {text[:300]}")
        return False

    def _wrote(self, board: str, kind: str, subject: str, answer: Answered) -> None:
        write = Write(board, kind, subject, answer.sent, answer.received)
        self._ledger.writes.append(write)

    def _recent(self) -> str:
        return self._chance.choice(self._own[-RECENT:])

    def _name(self, what: str) -> str:
        self._numbers += 1
        return f"{what} {self._place}-{self._numbers}"
