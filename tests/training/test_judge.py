from typing import Any

import pytest

from tests.training.chat_server import Answer, chatting
from training.errors import JudgeFailed
from training.evaluation.judge import Judgement, Pair, Verdict, judge, summarise
from training.inference.endpoint import ATTEMPTS, KEY_VARIABLE, open_endpoint

PAIRS = tuple(
    Pair(str(n), f"Topic {n}", f"plain {n} answer", f"good {n} answer of more words")
    for n in range(12)
)


def judged(answer: Answer, pairs: tuple[Pair, ...] = PAIRS) -> Judgement:
    lines: list[str] = []
    with chatting(answer) as server, open_endpoint(server.url, "m", pause_s=0) as endpoint:
        verdicts = judge(endpoint, pairs, report=lines.append)
    assert lines
    return summarise("m", verdicts)


def asked(body: dict[str, Any]) -> str:
    text: str = body["messages"][-1]["content"]
    return text


def prefers_good(body: dict[str, Any]) -> str:
    is_first = asked(body).index("good") < asked(body).index("plain")
    return f"It is useful.\nVerdict: {'A' if is_first else 'B'}"


def test_each_pair_is_asked_in_both_orders() -> None:
    with chatting(prefers_good) as server, open_endpoint(server.url, "m") as endpoint:
        judge(endpoint, PAIRS[:1], report=lambda _: None)

    first, second = map(asked, server.bodies)
    assert first.index("plain") < first.index("good")
    assert second.index("good") < second.index("plain")
    assert all(body["model"] == "m" and body["temperature"] == 0 for body in server.bodies)


def test_a_text_preferred_in_both_orders_wins() -> None:
    found = judged(prefers_good)

    assert (found.wins, found.losses, found.ties) == (12, 0, 0)
    assert (found.consistency, found.is_led_by_order) == (1, False)
    assert found.win_rate.value == 1
    assert found.p < 0.001


def test_a_judge_that_always_prefers_the_first_text_decides_nothing() -> None:
    found = judged(lambda _: "Verdict: A")

    assert (found.wins, found.losses, found.ties) == (0, 0, 12)
    assert found.is_led_by_order
    assert found.p == 1
    assert found.rate_at_equal_length.value == pytest.approx(0.5, abs=0.01)


def test_a_judge_that_prefers_the_longer_text_is_noticed() -> None:
    mixed = tuple(
        pair if int(pair.id) % 2 else Pair(pair.id, pair.request, pair.tuned, pair.base)
        for pair in PAIRS
    )

    found = judged(prefers_good, mixed)

    assert (found.wins, found.losses) == (6, 6)
    assert found.longer_wins == 1


def test_an_unreadable_verdict_is_a_tie() -> None:
    def answer(body: dict[str, Any]) -> str:
        return "I cannot say." if "Topic 0" in asked(body) else prefers_good(body)

    found = judged(answer, PAIRS[:3])

    assert (found.wins, found.ties, found.unreadable) == (2, 1, 1)


def test_the_last_verdict_counts_and_may_be_a_tie() -> None:
    found = judged(lambda _: "Verdict: A? No.\n**Verdict:** tie", PAIRS[:2])

    assert (found.ties, found.unreadable, found.consistency) == (2, 0, 1)


def test_a_judge_without_any_readable_verdict_is_an_error() -> None:
    with pytest.raises(JudgeFailed, match="never ends with a verdict"):
        judged(lambda _: "Both are lovely.", PAIRS[:2])


def test_a_verdict_is_consistent_only_if_both_orders_agree() -> None:
    assert Verdict(PAIRS[0], "base", "tuned").winner == "tie"
    assert not Verdict(PAIRS[0], None, None).is_consistent


def test_a_busy_server_is_asked_again() -> None:
    calls = iter(range(100))

    def answer(_: dict[str, Any]) -> str | tuple[int, str]:
        return (429, "slow down") if next(calls) == 0 else "Verdict: A"

    with chatting(answer) as server, open_endpoint(server.url, "m", pause_s=0) as endpoint:
        assert judge(endpoint, PAIRS[:1], report=lambda _: None)[0].winner == "tie"

    assert len(server.bodies) == 3


@pytest.mark.parametrize(
    ("answer", "calls", "message"),
    [
        ((500, "broken"), ATTEMPTS, "answers 500: broken"),
        ((401, "no key"), 1, "answers 401: no key"),
        ((200, "<html>"), 1, "did not return a chat completion: <html>"),
        ((200, '{"choices": [{"message": {"content": null}}]}'), 1, "without text"),
    ],
)
def test_a_failing_server_is_named_with_the_reason(
    answer: tuple[int, str], calls: int, message: str
) -> None:
    with (
        chatting(lambda _: answer) as server,
        open_endpoint(server.url, "m", pause_s=0) as endpoint,
        pytest.raises(JudgeFailed, match=message),
    ):
        endpoint.ask([], max_tokens=1)

    assert len(server.bodies) == calls


def test_an_unreachable_server_is_named() -> None:
    with (
        open_endpoint("http://127.0.0.1:9/v1", "m", pause_s=0) as endpoint,
        pytest.raises(JudgeFailed, match="cannot be reached"),
    ):
        endpoint.ask([], max_tokens=1)


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "secret")

    with chatting(lambda _: "yes") as server, open_endpoint(server.url, "m") as endpoint:
        assert endpoint.ask([], max_tokens=1) == "yes"

    assert server.headers["Authorization"] == "Bearer secret"
