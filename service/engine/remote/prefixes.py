"""Which beginnings of prompts an engine has read lately, and so may still have in its cache. Pure."""

from collections import OrderedDict
from collections.abc import Sequence

from service.engine.types import GenerateRequest, ProbeRequest, Request

BLOCK_CHARS = 128
# About a megabyte of prompts for each engine.
REMEMBERED_BLOCKS = 8192


def blocks_of(request: Request) -> tuple[int, ...]:
    """A hash for each whole block of the prompt; equal hashes mean equal prompts up to there.

    Requests whose prompts are not kept in a cache have none.
    """
    text = _text_of(request)
    found: list[int] = []
    for end in range(BLOCK_CHARS, len(text) + 1, BLOCK_CHARS):
        before = found[-1] if found else 0
        found.append(hash((before, text[end - BLOCK_CHARS : end])))
    return tuple(found)


def _text_of(request: Request) -> str:
    if isinstance(request, ProbeRequest):
        messages = request.prompts[0] if request.prompts else ()
    elif not isinstance(request, GenerateRequest):
        return ""
    elif request.prompt is not None:
        prompt = request.prompt
        return prompt if isinstance(prompt, str) else " ".join(map(str, prompt))
    else:
        messages = request.messages
    return "\0".join(f"{message.role}\0{message.content}" for message in messages)


class SeenPrefixes:
    """The blocks that one engine has read; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._seen: OrderedDict[int, None] = OrderedDict()

    def add(self, blocks: Sequence[int]) -> None:
        for block in blocks:
            self._seen[block] = None
            self._seen.move_to_end(block)
        while len(self._seen) > REMEMBERED_BLOCKS:
            self._seen.popitem(last=False)

    def share_of(self, blocks: Sequence[int]) -> float:
        """How much of the prompt the engine has read before, from 0 to 1."""
        known = next((i for i, block in enumerate(blocks) if block not in self._seen), len(blocks))
        return known / len(blocks) if blocks else 0.0

    def clear(self) -> None:
        self._seen.clear()
