"""What the benchmark counts, and what it calls met."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from benchmarks import workload
from benchmarks.figures import percentile, waiting_percentile
from benchmarks.http_stream import Answer
from benchmarks.load import Level, Outcome, Plan
from benchmarks.results import OURS, PACKAGED, Ceiling, Quantisation, Report, Sample, read
from benchmarks.summary import markdown, targets

# Long enough for a few requests on a busy machine.
WINDOW_S = 1.0
ROOT = Path(__file__).resolve().parents[2]
Script = Callable[[BaseHTTPRequestHandler], None]


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def piece(text: str, finish: str | None = None) -> bytes:
    return event(choices=[{"delta": {"content": text}, "finish_reason": finish}])


END = piece("", "stop")
USAGE = event(choices=[], usage={"completion_tokens": 7})
DONE = b"data: [DONE]\n\n"


def streamed(*events: bytes) -> Script:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "text/event-stream")
        request.end_headers()
        for one in events:
            request.wfile.write(one)

    return answer


def refused(request: BaseHTTPRequestHandler) -> None:
    request.send_response(503)
    request.send_header("Retry-After", "0")
    request.end_headers()


@contextmanager
def scripted(script: Script) -> Iterator[tuple[str, int]]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            script(self)

        def log_message(self, *_: object) -> None: ...

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that cuts its stream off is part of the test."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield ("127.0.0.1", server.server_port)
        finally:
            server.shutdown()
            thread.join()


def load(script: Script, clients: int = 2) -> Outcome:
    with scripted(script) as address:
        return Level(address, Plan(clients, seconds=WINDOW_S)).run()


def load_once(script: Script, clients: int = 2) -> Outcome:
    """One request of each client, whatever becomes of it; nobody waits for a window to end."""
    with scripted(script) as address:
        return Level(address, Plan(clients, seconds=20, is_single=True)).run()


def test_the_next_request_follows_an_answer() -> None:
    outcome = load(streamed(piece("a"), END, DONE))

    assert outcome.finished > 2
    assert outcome.broken == outcome.refused == 0


def test_the_warm_up_asks_once_for_each_client() -> None:
    outcome = load_once(streamed(piece("a"), END, DONE), clients=3)

    assert outcome.finished == 3
    assert outcome.seconds < 20


def test_tokens_are_those_that_the_server_tells() -> None:
    outcome = load_once(streamed(piece("a"), piece("b"), END, USAGE, DONE))

    assert outcome.tokens == 7 * outcome.finished > 0


def test_pieces_count_as_tokens_where_the_server_tells_none() -> None:
    outcome = load_once(streamed(piece("a"), piece("b"), END, DONE))

    assert outcome.tokens == 2 * outcome.finished > 0


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([piece("a")], id="lost"),
        pytest.param([piece("a"), DONE], id="done without a reason"),
        pytest.param([piece("a"), event(error={"message": "no"}), END], id="error"),
        pytest.param([], id="empty"),
    ],
)
def test_a_stream_that_does_not_finish_is_broken(events: list[bytes]) -> None:
    outcome = load_once(streamed(*events))

    assert outcome.broken > 0
    assert outcome.finished == 0
    assert outcome.complaints


def test_a_refusal_is_not_a_broken_stream() -> None:
    outcome = load(refused)

    assert outcome.refused > 0
    assert outcome.broken == 0


def test_a_server_that_is_gone_breaks_every_stream() -> None:
    with scripted(refused) as address:
        pass
    outcome = Level(address, Plan(1, seconds=WINDOW_S)).run()

    assert outcome.broken > 0


def test_an_unanswered_stream_tells_how_long_it_waited() -> None:
    release = threading.Event()
    with scripted(lambda _request: (release.wait(60), None)[1]) as address:
        outcome = Level(address, Plan(3, seconds=WINDOW_S)).run()
        release.set()

    assert outcome.cut == len(outcome.waits) == 3
    assert outcome.first_tokens == []
    assert all(wait >= 0.15 for wait in outcome.waits)


@pytest.mark.parametrize("size", [1, 2, 7, 4096])
@pytest.mark.parametrize("is_chunked", [True, False])
def test_events_are_the_same_however_the_bytes_are_cut(size: int, is_chunked: bool) -> None:
    content = [b"data: {}\n\n: ping\n\nda", b'ta: {"a": 1}\n', b"\ndata: [DONE]\n\n"]
    if is_chunked:
        framed = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in content) + b"0\r\n\r\n"
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    else:
        framed, head = b"".join(content), b"HTTP/1.1 200 OK\r\n\r\n"
    answer, raw = Answer(), head + framed
    found = [
        payload
        for start in range(0, len(raw), size)
        for payload in answer.feed(raw[start : start + size])
    ]

    assert found == [b"{}", b'{"a": 1}', b"[DONE]"]
    assert answer.is_over is is_chunked


def test_without_cuts_a_waiting_percentile_is_the_plain_one() -> None:
    values = [float(number) for number in range(1, 101)]

    assert waiting_percentile(values, [], 0.95) == (percentile(values, 0.95), False)


def test_a_short_wait_at_the_end_changes_no_percentile() -> None:
    assert waiting_percentile([2.0, 3.0, 4.0], [0.1], 0.5) == (3.0, False)


def test_long_waits_raise_the_percentile_beyond_what_was_seen() -> None:
    assert waiting_percentile([1.0, 2.0], [9.0, 9.0, 9.0], 0.5) == (9.0, True)


def test_no_two_requests_are_alike() -> None:
    assert len({workload.user_text(number) for number in range(2000)}) == 2000


def test_sixteen_prompts_come_again() -> None:
    asked = [workload.question(number, "repeated") for number in range(48)]

    assert asked[:16] == asked[16:32] == asked[32:]
    assert len(set(asked)) == 16


def test_a_chat_has_five_turns_with_all_that_was_said_and_no_seed() -> None:
    turns = [workload.question(7, "chats")]
    while following := turns[-1].next(f"Answer {len(turns)}."):
        turns.append(following)
    last = json.loads(turns[-1].body(model="m", max_tokens=8))

    assert len(turns) == 5
    assert [one["role"] for one in last["messages"]] == [
        "system",
        *["user", "assistant"] * 4,
        "user",
    ]
    assert last["messages"][-2]["content"] == "Answer 4."
    assert "seed" not in last


def test_what_is_asked_again_has_a_table_of_its_own() -> None:
    report = a_report()
    again = [replace(one, load="repeated", first_p50=(0.5, False)) for one in report.samples]
    report.samples += [replace(one, first_p50=(0.25, False)) for one in again if one.server == OURS]
    report.samples += [one for one in again if one.server == PACKAGED]

    assert f"| 8 | {PACKAGED} | 2.00 | 0.50 |" in markdown(report)
    assert list(targets(report.under("new"))) == list(targets(a_report()))


def sample(server: str, rate: float, *, clients: int = 8, first_s: float = 1.0) -> Sample:
    return Sample(
        server=server,
        round=0,
        clients=clients,
        rate=rate,
        stream_rate=rate / clients,
        first_p50=(first_s, False),
        first_p95=(first_s, False),
        gap_p95=0.05,
        pss_bytes=1,
        finished=1,
        refused=0,
        broken=0,
        foreign_cpu=0.0,
        health=(0.1,),
    )


def a_report() -> Report:
    return Report(
        {"machine": "m"},
        [
            *(sample(OURS, rate) for rate in (90.0, 100.0, 900.0)),
            *(sample(PACKAGED, rate, first_s=2.0) for rate in (40.0, 50.0, 60.0)),
        ],
        [Ceiling(0, 8, 200.0, 250.0)],
        [Quantisation("q4_0", 1, 1.0, {1: 2.0}, 0.0, 1.0)],
        {"a": 1.0},
    )


def test_targets_are_ratios_of_medians() -> None:
    ratios = {(one.what, one.than): (one.ratio, one.is_met) for one in targets(a_report())}

    assert ratios["tokens/s with 8", PACKAGED] == (2.0, True)
    assert ratios["first token p50 with 8", PACKAGED] == (0.5, True)
    assert ratios["tokens/s with 8", "bare decode loop"] == (0.5, False)


def test_a_missed_target_is_called_missed() -> None:
    row = next(
        line for line in markdown(a_report()).splitlines() if "bare decode loop | 0.50" in line
    )

    assert "**missed**" in row


def test_a_report_says_when_the_machine_was_not_quiet() -> None:
    report = a_report()
    report.samples = [replace(one, foreign_cpu=0.3) for one in report.samples]

    assert "too much for these figures" in markdown(report)
    assert "too much for these figures" not in markdown(a_report())


def pins(lock: str) -> set[str]:
    return set(re.findall(r"^(\S+==\S+)", (ROOT / lock).read_text(), re.MULTILINE))


def test_the_peers_run_the_llama_cpp_that_is_served() -> None:
    (served,) = (pin for pin in pins("requirements.lock") if pin.startswith("llama-cpp-python=="))

    assert served in pins("requirements-bench.lock")


def test_a_peer_is_never_installed_with_the_service() -> None:
    assert not any(pin.startswith("xllamacpp==") for pin in pins("requirements.lock"))


def test_a_report_survives_its_file(tmp_path: Path) -> None:
    report = a_report()
    report.write(tmp_path / "results.json")

    assert read(tmp_path / "results.json") == report
