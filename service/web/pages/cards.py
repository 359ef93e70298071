"""The cards of a brainstorm: its suggestions, each followed by the ones that replace it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from service.runs.recorder import Draft, LiveRun
from service.schemas.brainstorm import SuggestionPublic
from service.schemas.fields import UNFINISHED
from service.schemas.runs import RunPublic
from service.store import Store
from service.web.pages.outcomes import failure


@dataclass(frozen=True, slots=True)
class Redraw:
    """The run that replaces a suggestion, and the draft that it is writing."""

    run: RunPublic
    draft: Draft | None

    @property
    def is_live(self) -> bool:
        return self.run.status in UNFINISHED

    @property
    def came_to_nothing(self) -> bool:
        return not self.is_live and not self.run.suggestions

    @property
    def failure(self) -> str:
        return failure(self.run.error)


@dataclass(frozen=True, slots=True)
class Card:
    """`replaces` is the suggestion that this one replaced, unless that one was reopened."""

    suggestion: SuggestionPublic
    redraw: Redraw | None = None
    replaces: SuggestionPublic | None = None

    @property
    def can_be_redrawn(self) -> bool:
        return self.redraw is None or self.redraw.came_to_nothing


def cards_of(
    store: Store,
    run: RunPublic,
    live: Callable[[str], LiveRun | None],
    seen: frozenset[str] = frozenset(),
) -> list[Card]:
    cards: list[Card] = []
    here = seen | {run.run_id}
    for each in run.suggestions:
        # Runs of an imported file may refer to each other in a circle.
        if each.redrawn_in is None or each.redrawn_in in here:
            cards.append(Card(each))
            continue
        drafts = _drafts(live(each.redrawn_in))
        again = store.runs.get(each.redrawn_in)
        draft = drafts[0] if drafts and not again.suggestions else None
        card = Card(each, Redraw(again, draft))
        instead = cards_of(store, again, live, here)
        if instead and each.state != "open":
            cards += [replace(instead[0], replaces=each), *instead[1:]]
        else:
            cards += [card, *instead]
    return cards


def _drafts(live: LiveRun | None) -> list[Draft]:
    return [] if live is None else list(live.drafts.values())
