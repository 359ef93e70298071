"""The runs that somebody has started on a board and that its page offers to watch."""

from dataclasses import dataclass

from service.store import Store
from service.web.pages.run_kinds import SHOWN_KINDS
from service.web.pages.topics import topics
from service.web.pages.views import RunView


@dataclass(frozen=True, slots=True)
class RunUnderWay:
    """`by` is the name of who started it, empty if they have none."""

    id: str
    title: str
    topic: str
    address: str
    by: str


def runs_under_way(store: Store, board_id: str, *, shown: RunView | None) -> list[RunUnderWay]:
    """The unfinished runs of the board, except those that the page shows anyway."""
    seen = {shown.id, *shown.redrawing} if shown else set()
    found = [one for one in store.runs.under_way(board_id) if one.run.run_id not in seen]
    names = store.people.names(one.person_id for one in found)
    about = topics(store, [one.run for one in found]) if found else {}
    lines = []
    for one in found:
        run, kind = one.run, SHOWN_KINDS[one.run.kind]
        page = kind.page(run, run.idea_id) or f"/boards/{board_id}"
        lines.append(
            RunUnderWay(
                id=run.run_id,
                title=kind.name,
                topic=about[run.run_id],
                address=f"{page}?run={run.run_id}#run",
                by=names.get(one.person_id or "", ""),
            )
        )
    return lines
