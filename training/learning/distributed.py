"""The processes that accelerate's launcher has started for one run, or the only one there is.

The main one prepares the data and writes; all of them learn.
"""

from datetime import timedelta

import torch
from accelerate import PartialState

from training.errors import Report

LONGEST_WAIT = timedelta(days=1)
"""For one another: filters that ask the base take hours of the main process."""


def processes() -> PartialState:
    """Those of the run, and which of them this is."""
    # Without a GPU, accelerate sees other processes only where it is told of the CPU.
    return PartialState(cpu=not torch.cuda.is_available(), timeout=LONGEST_WAIT)


def heard_once(report: Report) -> Report:
    """Nothing is told by others than the main process."""
    return report if processes().is_main_process else lambda _: None
