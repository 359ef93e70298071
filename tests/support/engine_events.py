"""What the events of one request say together."""

from collections.abc import Sequence

from service.engine.types import Delta, Event, TokenLogprob


def text_of(events: Sequence[Event]) -> str:
    return "".join(one.text for one in events if isinstance(one, Delta))


def logprobs_of(events: Sequence[Event]) -> list[TokenLogprob]:
    return [one for event in events if isinstance(event, Delta) for one in event.logprobs]
