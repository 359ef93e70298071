"""What follows the reader of a run that goes on elsewhere: how far it is, and how it ended."""

from dataclasses import dataclass
from typing import Literal

from service.messages import Counted, Text
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
    if view.run.kind == "evaluate-all":
        return _evaluated(made, len(view.failed))
    if view.run.kind == "rank":
        return Counted("%(count)s pair compared", "%(count)s pairs compared", made)
    if view.incomplete:
        return view.incomplete_title
    if view.missing:
        return view.missing_title
    made = made or len(view.run.suggestions)
    return Counted("%(count)s new idea", "%(count)s new ideas", made)


def _evaluated(made: int, failed: int) -> Text:
    done = Counted("%(count)s idea evaluated", "%(count)s ideas evaluated", made)
    return Text("%(done)s; %(failed)s failed", done=done, failed=failed) if failed else done
