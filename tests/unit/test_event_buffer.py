import asyncio

from hypothesis import given
from hypothesis import strategies as st

from service.engine.admission.event_buffer import EventBuffer
from service.engine.types import Delta, Finished, Queued, Started, TokenLogprob, Usage

END = Finished("stop", Usage())
ITEMS = st.lists(
    st.one_of(
        st.builds(Delta, st.text(max_size=5)), st.builds(Queued, st.integers(1, 9)), st.just(END)
    ),
    max_size=20,
)


async def read(buffer: EventBuffer) -> list[object]:
    """Everything up to the end of the stream."""
    items: list[object] = []
    while (item := await buffer.get()) is not None:
        items.append(item)
    return items


def test_a_reader_that_lags_reads_adjacent_deltas_as_one() -> None:
    async def scenario() -> list[object]:
        buffer = EventBuffer()
        logprobs = (TokenLogprob("b", -0.5, ()),)
        for item in (Started(3), Delta("a"), Delta("b", logprobs), Delta("c"), END, None):
            buffer.put(item)
        return await read(buffer)

    assert asyncio.run(scenario()) == [
        Started(3),
        Delta("abc", (TokenLogprob("b", -0.5, ()),)),
        END,
    ]


def test_a_reader_that_keeps_up_reads_each_delta() -> None:
    async def scenario() -> list[object]:
        buffer = EventBuffer()
        reading = asyncio.create_task(read(buffer))
        for text in "abc":
            buffer.put(Delta(text))
            await asyncio.sleep(0)
        buffer.put(None)
        return await reading

    assert asyncio.run(scenario()) == [Delta("a"), Delta("b"), Delta("c")]


@given(ITEMS)
def test_merging_loses_no_text_and_keeps_the_order_of_events(items: list[Delta | Queued]) -> None:
    async def scenario() -> list[object]:
        buffer = EventBuffer()
        for item in (*items, None):
            buffer.put(item)
        return await read(buffer)

    def spelt(events: list[object]) -> list[object]:
        """Text letter by letter."""
        return [
            one for event in events for one in (event.text if type(event) is Delta else [event])
        ]

    assert spelt(asyncio.run(scenario())) == spelt(list(items))
