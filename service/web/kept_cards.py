"""Keeps the cards of ideas as they were rendered, by all that they show and by what the reader may do.

A page of a board is mostly cards, and most of them are as they were when somebody looked before.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import datetime
from threading import Lock

from jinja2 import Environment
from markupsafe import Markup

from service.actor import ACTOR
from service.schemas.ideas import IdeaPublic
from service.web.sent_forms import NO_REFUSAL, Refusal

# About 6 KB each.
MOST_CARDS = 2000


class KeptCards:
    """For one language. Any thread may ask. `age` is how a card says how old its idea is."""

    def __init__(self, environment: Environment, age: Callable[[datetime], str]) -> None:
        self._environment = environment
        self._age = age
        self._kept: OrderedDict[Hashable, Markup] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def __call__(
        self, template: str, idea: IdeaPublic, *, is_picked: bool, refused: Refusal
    ) -> Markup:
        if refused is not NO_REFUSAL:
            # The card may show what was sent.
            return self._rendered(template, idea, is_picked, refused)
        role = ACTOR.get().role_on(idea.board_id)
        key = (template, role, is_picked, self._age(idea.created_at), idea.model_dump_json())
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        card = self._rendered(template, idea, is_picked, refused)
        with self._lock:
            self._kept[key] = card
            if len(self._kept) > MOST_CARDS:
                self._kept.popitem(last=False)
        return card

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()

    def _rendered(
        self, template: str, idea: IdeaPublic, is_picked: bool, refused: Refusal
    ) -> Markup:
        page = self._environment.get_template(template)
        return Markup(page.render(idea=idea, is_picked=is_picked, refused=refused))
