"""Grammars and schemas made to stop the model, and random ones, beside an answer that must go on."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.bench_soak import State
from tests.campaigns.report import Report, tell
from tests.support.app_server import Server, serving
from tests.support.hostile_grammars import (
    EXPLODING,
    PATTERNS,
    SCHEMA_BOMBS,
    UNBOUNDED,
    random_grammar,
    random_schema,
)
from tests.support.raw_http import Call, endless

RANDOM = 250
TOKENS = 300
# As the test of one exploding grammar promises its neighbour.
LONGEST_GAP_S = 5.0
# A step may take a second of CPU, on a machine that may have other work.
ANSWER_TOKENS = 40
ANSWERED_S = 2.0 * ANSWER_TOKENS
CHAT = "/v1/chat/completions"
Asked = tuple[str, dict[str, Any]]


def campaign(folder: Path, *, grammars: int = RANDOM, seed: int = 5) -> Report:
    """On the real small model."""
    report = Report("Hostile grammars")
    chance, ends, took_s = random.Random(seed), Counter[str](), list[tuple[float, str]]()
    faults: list[str] = []
    with serving(folder) as server:
        server.await_models()
        with _Listener(server) as listener:
            for number, (what, more) in enumerate([*_collection(), *_random(chance, grammars)]):
                began = time.monotonic()
                end = _ask(server, more)
                took_s.append((time.monotonic() - began, what))
                ends[end] += 1
                if end not in ("200", "400", "422"):
                    faults.append(f"number {number}, {what}: {end}: {json.dumps(more)[:300]}")
                if number % 50 == 49:
                    tell(f"{number + 1} asked, {dict(ends)}; {listener}")
        state = State.of(server)
    seen = ", ".join(f"{end} {count}" for end, count in ends.most_common())
    promised = "each is followed, or fails alone with 4xx"
    report.add_faults(f"grammars, seed {seed} ({seen})", len(took_s), faults, promised)
    _add_times(report, took_s, listener)
    restarts = state.gauges["ideapool_engine_restarts"]
    report.add(
        "restarts of the model process",
        restarts,
        found=str(restarts),
        promised="none",
        holds=restarts == 0,
    )
    return report


def _add_times(report: Report, took_s: list[tuple[float, str]], listener: "_Listener") -> None:
    longest_s, what = max(took_s)
    slow = sum(one > 5 for one, _ in took_s)
    report.add(
        f"their answers, {ANSWER_TOKENS} tokens each",
        len(took_s),
        found=f"longest {longest_s:.1f} s ({what}), {slow} over 5 s",
        promised=f"a step takes a second of CPU at most, so within {ANSWERED_S:.0f} s",
        holds=longest_s < ANSWERED_S,
    )
    report.add(
        f"answers of a neighbour meanwhile, {TOKENS} tokens each",
        listener.answers,
        found=", ".join([str(listener), *listener.faults[:3]]),
        promised=f"all are whole, without a pause of {LONGEST_GAP_S:.0f} s",
        holds=not listener.faults and 0 < listener.longest_gap_s < LONGEST_GAP_S,
    )


class _Listener(threading.Thread):
    """Another client, who reads one long answer after the other while the block lasts."""

    def __init__(self, server: Server) -> None:
        super().__init__(name="listener", daemon=True)
        self.answers = 0
        self.longest_gap_s = 0.0
        self.faults: list[str] = []
        self._server = server
        self._is_over = threading.Event()

    def __enter__(self) -> "_Listener":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self.join()

    def run(self) -> None:
        while not self._is_over.is_set():
            with closing(Call(self._server, source="127.0.0.2")) as call:
                call.post(CHAT, endless(f"Question {self.answers}?", TOKENS))
                self._read(call)
            self.answers += 1

    def _read(self, call: Call) -> None:
        last, reason = time.monotonic(), ""
        for name, data in call.events():
            self.longest_gap_s = max(self.longest_gap_s, time.monotonic() - last)
            last = time.monotonic()
            if name == "[DONE]":
                break
            choices = data.get("choices") or [{}]
            reason = choices[0].get("finish_reason") or reason
        if reason != "length":
            self.faults.append(f"answer {self.answers} ended with {reason or 'nothing'}")

    def __str__(self) -> str:
        return f"longest pause {self.longest_gap_s:.2f} s, {len(self.faults)} not whole"


def _ask(server: Server, more: dict[str, Any]) -> str:
    question = {
        "model": "general",
        "messages": [{"role": "user", "content": "Say a."}],
        "max_tokens": ANSWER_TOKENS,
        "seed": 1,
    }
    answer = server.http.post(CHAT, json=question | more)
    return str(answer.status_code)


def _collection() -> Iterator[Asked]:
    for number in range(3):
        # The same one is not tried again; another one like it is.
        yield "exploding", {"grammar": EXPLODING.replace("x", "xyz"[number])}
    for grammar, _ in UNBOUNDED:
        yield "without bounds", {"grammar": grammar}
    for name, schema in SCHEMA_BOMBS.items():
        # What nests too deeply to be read at all is sent as a grammar, which takes any text.
        try:
            yield name, _schema(json.loads(schema))
        except RecursionError:
            yield name, {"grammar": schema}
    for pattern in PATTERNS:
        yield "pattern", _schema({"type": "string", "pattern": pattern})


def _random(chance: random.Random, count: int) -> Iterator[Asked]:
    for number in range(count):
        if number % 2:
            yield "random schema", _schema(random_schema(chance))
        else:
            yield "random grammar", {"grammar": random_grammar(chance)}


def _schema(schema: Any) -> dict[str, Any]:
    named = {"name": "answer", "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": named}}
