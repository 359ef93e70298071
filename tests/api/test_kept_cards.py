"""Cards are kept as they were rendered, and yet a page shows each change at once."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import cast

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from jinja2 import meta

from service.actor import Role
from service.schemas.comments import CommentCreate
from service.schemas.ideas import IdeaCreate, IdeaPublic, IdeaUpdate
from service.schemas.identity import now
from service.store import Store
from service.store.runs import NewRun
from service.web.kept_cards import MOST_CARDS, KeptCards
from service.web.sent_forms import NO_REFUSAL
from service.web.templating import Templates
from service.web.translation import LANGUAGES
from tests.support.evaluations import SCORES
from tests.support.people import acting_as

BROWSER = {"accept": "text/html", "sec-fetch-site": "same-origin"}
CARDS = ("boards/_card.html", "boards/_row.html")


@pytest.fixture
def idea(store: Store) -> IdeaPublic:
    return store.ideas.create(IdeaCreate(title="Lend tools", body="Drills.", tags=["home"]))


@pytest.fixture
def cards() -> Iterator[KeptCards]:
    yield cards_of("en")
    for language in LANGUAGES:
        cards_of(language).clear()


def cards_of(language: str) -> KeptCards:
    found = Templates().environment(language).globals["card"]
    assert isinstance(found, KeptCards)
    return found


def shown(client: TestClient, idea: IdeaPublic, **query: str) -> str:
    # The whole page is kept, too.
    cast(FastAPI, client.app).state.kept_pages.clear()
    response = client.get(f"/boards/{idea.board_id}", params=query, headers=BROWSER)
    assert response.status_code == 200, response.text
    return response.text.partition('id="ideas"')[2].partition('id="more"')[0]


def evaluate(store: Store, idea: IdeaPublic) -> None:
    run = store.runs.create(NewRun("evaluate", {}, seed=1, idea_id=idea.id)).run_id
    criteria = [{"name": name, "description": "", "weight": 1.0} for name in DEFAULTS]
    scores = dict.fromkeys(DEFAULTS, 7.0)
    result = SCORES | {"criteria": criteria, "scores": scores, "spread": scores}
    store.evaluations.add(run, idea.id, 1, result)


DEFAULTS = ("novelty", "feasibility", "impact", "clarity")
CHANGES: dict[str, Callable[[Store, IdeaPublic], object]] = {
    "title": lambda store, idea: store.ideas.update(idea.id, IdeaUpdate(title="Lend ladders")),
    "text": lambda store, idea: store.ideas.update(idea.id, IdeaUpdate(body="Ladders.")),
    "tag": lambda store, idea: store.ideas.update(idea.id, IdeaUpdate(tags=["work"])),
    "status": lambda store, idea: store.ideas.update(idea.id, IdeaUpdate(status="kept")),
    "star": lambda store, idea: store.ideas.update(idea.id, IdeaUpdate(star=True)),
    "like": lambda store, idea: store.likes.set(idea.id, liked=True),
    "comment": lambda store, idea: store.comments.add(idea.id, CommentCreate(body="Who pays?")),
    "score": evaluate,
    "another idea": lambda store, idea: store.ideas.create(
        IdeaCreate(board_id=idea.board_id, title="Paint the hall")
    ),
    "deletion": lambda store, idea: store.ideas.delete(idea.id),
}


@pytest.mark.parametrize("view", ["cards", "list"])
@pytest.mark.parametrize("what", CHANGES)
def test_a_change_shows_at_once(
    client: TestClient, store: Store, idea: IdeaPublic, cards: KeptCards, what: str, view: str
) -> None:
    before = shown(client, idea, view=view)
    CHANGES[what](store, idea)
    after = shown(client, idea, view=view)
    cards.clear()

    if (what, view) != ("text", "list"):
        assert after != before
    assert after == shown(client, idea, view=view)


def test_a_card_that_nothing_changed_is_rendered_once(
    client: TestClient, idea: IdeaPublic, cards: KeptCards
) -> None:
    cards.clear()
    pages = [shown(client, idea) for _ in range(3)]

    assert len(cards) == 1
    assert len(set(pages)) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_card_is_in_the_language_of_its_reader(
    client: TestClient, idea: IdeaPublic, language: str
) -> None:
    shown(client, idea)
    client.cookies.set("language", language)

    page = shown(client, idea)
    cards_of(language).clear()
    assert page == shown(client, idea)


def test_a_card_that_is_picked_is_not_shown_to_whoever_picks_nothing(
    client: TestClient, idea: IdeaPublic
) -> None:
    picked = shown(client, idea, select="shown")

    assert " checked" in picked
    assert " checked" not in shown(client, idea)


def test_a_card_has_only_what_the_reader_may_do(
    store: Store, idea: IdeaPublic, cards: KeptCards
) -> None:
    def card(role: Role) -> str:
        with acting_as(None, role):
            found = store.ideas.get(idea.id)
            return cards(CARDS[0], found, is_picked=False, refused=NO_REFUSAL)

    editors, readers = card(Role.EDITOR), card(Role.READER)

    assert f"/ideas/{idea.id}/delete" in editors
    assert "<form" not in readers
    assert card(Role.EDITOR) == editors


def test_a_card_grows_older(idea: IdeaPublic, cards: KeptCards) -> None:
    old = idea.model_copy(update={"created_at": now() - timedelta(days=3)})

    first, second = (
        cards(CARDS[0], one, is_picked=False, refused=NO_REFUSAL) for one in (idea, old)
    )

    assert "just now" in first
    assert "3 days ago" in second


def test_only_so_many_cards_are_kept(idea: IdeaPublic, cards: KeptCards) -> None:
    for number in range(MOST_CARDS + 5):
        one = idea.model_copy(update={"likes": number})
        cards(CARDS[1], one, is_picked=False, refused=NO_REFUSAL)

    assert len(cards) == MOST_CARDS


@pytest.mark.parametrize("template", [*CARDS, "boards/_card_parts.html", "shared/macros.html"])
def test_a_card_depends_on_nothing_that_it_is_not_kept_by(template: str) -> None:
    environment = Templates().environment()
    assert environment.loader is not None
    source = environment.loader.get_source(environment, template)[0]

    needed = meta.find_undeclared_variables(environment.parse(source))

    assert needed - set(environment.globals) <= {"idea", "is_picked", "refused"}


def test_a_refused_form_on_a_card_keeps_its_choice(client: TestClient, idea: IdeaPublic) -> None:
    shown(client, idea)
    response = client.post(
        f"/boards/{idea.board_id}/combine",
        data={"idea": idea.id},
        headers=BROWSER | {"referer": f"http://localhost/boards/{idea.board_id}"},
    )

    assert response.status_code == 422
    assert re.search(rf'id="pick-{idea.id}"[^>]* checked', response.text)
