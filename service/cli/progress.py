"""Shows the progress of a long job: one changing line in a terminal, a line every few seconds in a log."""

import time
from typing import TextIO

from service.engine.files.download import FetchProgress

TERMINAL_S = 0.2
LOG_S = 5.0


class ProgressLine:
    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._is_terminal = out.isatty()
        self._shown_at = 0.0
        self._phase = ""

    def show(self, progress: FetchProgress) -> None:
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


def _amount(progress: FetchProgress) -> str:
    if not progress.bytes_total:
        return ""
    share = progress.bytes_done / progress.bytes_total
    return f" {progress.bytes_done / 1e6:.0f} of {progress.bytes_total / 1e6:.0f} MB ({share:.0%})"
