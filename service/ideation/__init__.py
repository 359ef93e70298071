"""The use cases: brainstorm, refine, evaluate, rank. What is asked of the models, and when again.

`plan` turns a task into work, or refuses it; `perform` does the work and reports each step.
"""

from service.ideation.events import (
    Began,
    Compared,
    DraftDropped,
    Drafted,
    Emit,
    Evaluated,
    Ledger,
    NotEvaluated,
    Reading,
    Scored,
    Step,
    Suggested,
    Waiting,
)
from service.ideation.perform import Ideation
from service.ideation.plan import EvaluateAllWork, Work, plan
from service.ideation.repeat import asked_anew, redrawn, repeated

__all__ = [
    "Began",
    "Compared",
    "DraftDropped",
    "Drafted",
    "Emit",
    "EvaluateAllWork",
    "Evaluated",
    "Ideation",
    "Ledger",
    "NotEvaluated",
    "Reading",
    "Scored",
    "Step",
    "Suggested",
    "Waiting",
    "Work",
    "asked_anew",
    "plan",
    "redrawn",
    "repeated",
]
