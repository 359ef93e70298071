"""What follows the reader of a run that goes on elsewhere: how far it is, and how it ended."""

from dataclasses import dataclass
from typing import Literal

from service.messages import Text
from service.web.pages.views import RunView


@dataclass(frozen=True, slots=True)
class Toast:
    """`made` of `wanted` items are done; `words` say that, or how the run ended."""

    state: Literal["live", "done", "failed"]
    words: str
    made: int
    wanted: int


def toast_of(view: RunView) -> Toast:
    made = _made(view)
    if view.is_live:
        return Toast("live", view.announcement, made, view.wanted)
    is_nothing = view.run.status in ("failed", "interrupted") and not made
    if is_nothing and not view.run.suggestions:
        return Toast("failed", Text("This run failed"), made, view.wanted)
    return Toast("done", _result(view, made), made, view.wanted)


def _made(view: RunView) -> int:
    return view.run.written + len(view.run.evaluations) + len(view.run.comparisons)


def _result(view: RunView, made: int) -> str:
    if view.incomplete:
        return view.incomplete_title
    if view.missing:
        return view.missing_title
    return view.kind.ended(made or len(view.run.suggestions), len(view.failed))
