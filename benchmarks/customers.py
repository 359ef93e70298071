"""The clients of the soak: each asks one thing after the other, and some leave, cancel or dawdle.

What comes of each call is one word in the tally; what may not happen at all is in `FAULTS`.
"""

import http.client
import json
import random
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from benchmarks.workload import TOPICS, user_text
from tests.support.app_server import Server
from tests.support.raw_http import Call, Event, chat

CHAT = "/v1/chat/completions"
# One in so many calls; the rest is read to the end at once.
LEAVES, CANCELS, DAWDLES = 0.2, 0.15, 0.1
LONGEST_STAY_S = 8.0
LONGEST_PAUSE_S = 3.0
LONGEST_REST_S = 1.0
# The small model may write nothing that can be used, and more may come than there are places.
EXPECTED = frozenset({"done", "left", "cancelled", "refused", "answer-unusable"})


@dataclass(frozen=True, slots=True)
class Question:
    kind: str
    path: str
    body: dict[str, Any]
    streams: bool
    # `leaves`, `cancels`, `dawdles` or `stays`.
    manner: str
    stay_s: float


class Tally:
    """How many calls of which kind ended how."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: Counter[tuple[str, str]] = Counter()

    def add(self, kind: str, end: str) -> None:
        with self._lock:
            self._ends[kind, end] += 1

    def ends(self) -> Counter[str]:
        with self._lock:
            found: Counter[str] = Counter()
            for (_, end), count in self._ends.items():
                found[end] += count
            return found

    def kinds(self) -> dict[str, Counter[str]]:
        with self._lock:
            found: dict[str, Counter[str]] = {}
            for (kind, end), count in sorted(self._ends.items()):
                found.setdefault(kind, Counter())[end] += count
            return found


def draw(number: int, chance: random.Random) -> Question:
    """The next question; the same numbers and chances give the same ones."""
    kind = chance.choices(
        ("stream", "completion", "brainstorm", "refine", "evaluate"), (4, 2, 3, 1, 1)
    )[0]
    text = user_text(number)
    if kind in ("stream", "completion"):
        body = chat(text, chance.randint(8, 160), seed=number, stream=kind == "stream")
        path = CHAT
    elif kind == "brainstorm":
        body = {"topic": chance.choice(TOPICS), "n": chance.randint(1, 4), "seed": number}
        path = "/api/v1/brainstorm"
    else:
        body = {"title": f"Idea {number}", "body": text, "seed": number}
        path = f"/api/v1/{kind}"
    streams = kind in ("stream", "brainstorm") or (kind == "refine" and chance.random() < 0.5)
    manners = {"leaves": LEAVES}
    if streams:
        manners |= {"dawdles": DAWDLES} | ({"cancels": CANCELS} if path != CHAT else {})
    names, shares = [*manners, "stays"], [*manners.values(), 1 - sum(manners.values())]
    manner = chance.choices(names, shares)[0]
    if manner == "dawdles" and path == CHAT:
        # Large enough not to fit what the kernel keeps for who does not read.
        body |= {"logprobs": True, "top_logprobs": 20, "max_tokens": 160}
    return Question(kind, path, body, streams, manner, chance.uniform(0, LONGEST_STAY_S))


class Customer(threading.Thread):
    def __init__(self, number: int, server: Server, tally: Tally, closing_time: threading.Event):
        super().__init__(name=f"customer {number}", daemon=True)
        self._server = server
        self._tally = tally
        self._closing_time = closing_time
        self._chance = random.Random(number)
        self._next = number * 1_000_000

    def run(self) -> None:
        while not self._closing_time.is_set():
            self._next += 1
            question = draw(self._next, self._chance)
            try:
                end = self._ask(question)
            except (OSError, http.client.HTTPException) as error:
                end = f"broken: {type(error).__name__} {error}"
            self._tally.add(question.kind, end)

    def _ask(self, question: Question) -> str:
        leaves_at = time.monotonic() + question.stay_s
        accept = "text/event-stream" if question.streams else "application/json"
        with closing(Call(self._server, is_narrow=question.manner == "dawdles")) as call:
            if question.manner == "leaves":
                call.socket.settimeout(max(0.01, question.stay_s))
            try:
                call.post(question.path, question.body, accept)
                if call.answer.status != 200:
                    return self._refusal(call)
                if not question.streams:
                    call.answer.read()
                    return "done"
                return self._follow(call, question, leaves_at)
            except TimeoutError:
                if question.manner != "leaves":
                    raise
                return "left"

    def _follow(self, call: Call, question: Question, leaves_at: float) -> str:
        last: Event = ("", {})
        run_id, is_cancelled = None, False
        for last in call.events():
            run_id = run_id or last[1].get("run_id")
            is_time = time.monotonic() > leaves_at
            if question.manner == "leaves" and is_time:
                return "left"
            if question.manner == "cancels" and is_time and not is_cancelled:
                is_cancelled = True
                self._server.http.post(f"/api/v1/runs/{run_id}/cancel")
            if question.manner == "dawdles" and self._chance.random() < 0.1:
                self._closing_time.wait(self._chance.uniform(0, LONGEST_PAUSE_S))
        return _end_of(last)

    def _refusal(self, call: Call) -> str:
        problem = json.loads(call.answer.read())
        if call.answer.status == 503 and call.answer.headers["Retry-After"]:
            self._closing_time.wait(self._chance.uniform(0, LONGEST_REST_S))
            return "refused"
        return _kind_of(problem)


def _end_of(event: Event) -> str:
    name, data = event
    if name == "[DONE]":
        return "done"
    if name == "done":
        return str(data["status"])
    if name == "error" or "error" in data:
        return _kind_of(data)
    return f"broken: ended after {name or 'a chunk'}"


def _kind_of(problem: dict[str, Any]) -> str:
    code = problem["error"]["code"] if "error" in problem else problem["type"]
    return str(code).rpartition("/")[2].replace("_", "-")
