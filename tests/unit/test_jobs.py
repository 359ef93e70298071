import asyncio

from hypothesis import given
from hypothesis import strategies as st

from service.engine.admission.jobs import FIRST_GUESS_S, LONGEST_RETRY_AFTER_S, Inbox, Pace
from service.engine.types import Delta, Finished, Queued, Started, TokenLogprob, Usage

END = Finished("stop", Usage())
ITEMS = st.lists(
    st.one_of(
        st.builds(Delta, st.text(max_size=5)), st.builds(Queued, st.integers(1, 9)), st.just(END)
    ),
    max_size=20,
)


async def read(inbox: Inbox) -> list[object]:
    """Everything up to the end of the stream."""
    items: list[object] = []
    while (item := await inbox.get()) is not None:
        items.append(item)
    return items


def test_a_reader_that_lags_reads_the_text_in_one_piece() -> None:
    async def scenario() -> list[object]:
        inbox = Inbox()
        logprobs = (TokenLogprob("b", -0.5, ()),)
        for item in (Started(3), Delta("a"), Delta("b", logprobs), Delta("c"), END, None):
            inbox.put(item)
        return await read(inbox)

    assert asyncio.run(scenario()) == [
        Started(3),
        Delta("abc", (TokenLogprob("b", -0.5, ()),)),
        END,
    ]


def test_a_reader_that_keeps_up_reads_piece_by_piece() -> None:
    async def scenario() -> list[object]:
        inbox = Inbox()
        reading = asyncio.create_task(read(inbox))
        for text in "abc":
            inbox.put(Delta(text))
            await asyncio.sleep(0)
        inbox.put(None)
        return await reading

    assert asyncio.run(scenario()) == [Delta("a"), Delta("b"), Delta("c")]


@given(ITEMS)
def test_no_text_is_lost_and_no_event_changes_its_place(items: list[Delta | Queued]) -> None:
    async def scenario() -> list[object]:
        inbox = Inbox()
        for item in (*items, None):
            inbox.put(item)
        return await read(inbox)

    def spelt(events: list[object]) -> list[object]:
        """Text letter by letter."""
        return [
            one for event in events for one in (event.text if type(event) is Delta else [event])
        ]

    assert spelt(asyncio.run(scenario())) == spelt(list(items))


def test_who_is_refused_hears_when_the_queue_will_have_begun() -> None:
    pace = Pace({"one": 4, "two": 1})
    for _ in range(50):
        pace.note("one", 2.0)

    assert pace.retry_after_s("one", waiting=0) == 1
    assert pace.retry_after_s("one", waiting=7) == 5
    assert pace.retry_after_s("two", waiting=0) == FIRST_GUESS_S
    assert pace.retry_after_s("two", waiting=999) == LONGEST_RETRY_AFTER_S
