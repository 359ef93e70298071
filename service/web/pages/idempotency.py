"""Runs the action of a form once, even if a double click sends it twice. Needs no JavaScript."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

# Longer than a double click, shorter than a deliberate repetition.
WINDOW_S = 2.0


class Once:
    def __init__(self) -> None:
        self._answers: dict[str, tuple[float, asyncio.Future[str]]] = {}

    async def do(
        self,
        key: str,
        action: Callable[[], Awaitable[str]],
        *,
        is_current: Callable[[str], bool] = lambda _: True,
    ) -> str:
        """Runs `action`, or returns its result for the same `key` if that is recent.

        `is_current` tells whether a recent result may still be returned.
        """
        now = time.monotonic()
        self._answers = {k: v for k, v in self._answers.items() if now - v[0] < WINDOW_S}
        if not self._has(key, is_current):
            self._answers[key] = now, asyncio.ensure_future(action())
        # Shielded: if one sender disconnects, the other must still get the result.
        try:
            return await asyncio.shield(self._answers[key][1])
        except Exception:
            self._answers.pop(key, None)
            raise

    def _has(self, key: str, is_current: Callable[[str], bool]) -> bool:
        if key not in self._answers:
            return False
        answer = self._answers[key][1]
        return not answer.done() or is_current(answer.result())


async def _once(request: Request) -> Once:
    state = request.app.state
    if not hasattr(state, "once"):
        state.once = Once()
    once: Once = state.once
    return once


OnceDep = Annotated[Once, Depends(_once)]
