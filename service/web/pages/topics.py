"""Describes what runs are about, in one line each."""

from collections.abc import Sequence

from service.messages import Text
from service.schemas.runs import RunPublic
from service.store import Store
from service.web.pages.run_kinds import SHOWN_KINDS


def topics(store: Store, runs: Sequence[RunPublic]) -> dict[str, str]:
    """The topics by the id of the run. Deleted ideas are not named."""
    titles = store.ideas.titles([one for run in runs for one in _idea_ids(run)])
    suggestions = store.suggestions.titles(
        [str(run.request["suggestion_id"]) for run in runs if run.request.get("suggestion_id")]
    )
    return {run.run_id: _topic(run, titles | suggestions) for run in runs}


def _idea_ids(run: RunPublic) -> list[str]:
    combined = run.request.get("idea_ids")
    return [str(one) for one in combined] if combined else [run.idea_id or ""]


def _topic(run: RunPublic, titles: dict[str, str]) -> str:
    given_topic = run.request.get("topic") or run.request.get("title")
    if given_topic:
        return str(given_topic)
    topic = SHOWN_KINDS[run.kind].topic
    if topic is not None:
        return topic(run.request)
    if run.request.get("suggestion_id"):
        return titles.get(str(run.request["suggestion_id"]), Text("a suggestion"))
    named = [titles[one] for one in _idea_ids(run) if one in titles]
    return " + ".join(named) or Text("an idea")
