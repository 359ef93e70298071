"""Shows the progress of a long job: one changing line in a terminal, a line every few seconds in a log."""

import asyncio
import sys
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from service.engine.backend import Backend
    from service.engine.files.download import FetchProgress

TERMINAL_S = 0.2
LOG_S = 5.0
POLL_S = 0.1


class ProgressLine:
    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._is_terminal = out.isatty()
        self._shown_at = 0.0
        self._phase = ""

    def show(self, progress: "FetchProgress") -> None:
        self.tell(progress.model, progress.phase, _amount(progress))

    def tell(self, model: str, phase: str, amount: str) -> None:
        pause = TERMINAL_S if self._is_terminal else LOG_S
        moment = time.monotonic()
        if phase == self._phase and moment - self._shown_at < pause:
            return
        self._phase, self._shown_at = phase, moment
        line = f"{model}: {phase}{amount}"
        self._out.write(f"\r\x1b[2K{line}" if self._is_terminal else f"{line}\n")
        self._out.flush()

    def close(self) -> None:
        if self._is_terminal:
            self._out.write("\n")


def _amount(progress: "FetchProgress") -> str:
    if not progress.bytes_total:
        return ""
    share = progress.bytes_done / progress.bytes_total
    return f" {progress.bytes_done / 1e6:.0f} of {progress.bytes_total / 1e6:.0f} MB ({share:.0%})"


async def show_loading(backend: "Backend") -> None:
    """Shows what models are fetched, built or loaded, until all are there."""
    line = ProgressLine(sys.stderr)
    is_shown = False
    try:
        while busy := [one for one in backend.models() if one.state in ("fetching", "loading")]:
            is_shown = True
            line.tell(busy[0].name, busy[0].state, f" ({busy[0].progress:.0%})")
            await asyncio.sleep(POLL_S)
    finally:
        if is_shown:
            line.close()
