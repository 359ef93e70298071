"""The page of a refused form comes back with what was typed and with what is wrong."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from service.app import create_app
from service.prompts.answers import refine_answer
from service.settings import Settings
from service.web import pages
from service.web.templating import TEMPLATES
from tests.support.fake_backend import FakeBackend
from tests.support.people import add_person, store_of
from tests.unit.test_file_types import png

HOST = "http://localhost"
BROWSER = {"accept": "text/html", "sec-fetch-site": "same-origin"}
TEXTS = {
    "Tool shelf": "Neighbours lend drills and ladders from a shelf in the hall.",
    "Tool library": "Drills, saws and ladders belong to all neighbours and are lent from a list.",
    "Walking bus": "Children walk to school in a line with two parents.",
}
LONG, LONG_TAG, BLANK = "long title " * 20, "bicycle" * 6, "  "
LONG_TEXT = "many words " * 900
EMPTY = "Write something here"
FIT = "the limit is {}"


@dataclass(frozen=True)
class Form:
    """Where it stands and is sent, what it holds, the field with the problem, and what is said."""

    page: str
    path: str
    fields: Mapping[str, Any]
    at: str
    said: str


BOARD, IDEA, RUN, REFINE = "/boards/{board}", "/ideas/{idea}", "/runs/{run}", "/runs/{refine}"
COMMENT, FILE = "/comments/{comment}", "/attachments/{attachment}"
RUBRICS, CARD = f"{BOARD}/rubrics", "/suggestions/{suggestion}"
ROUNDS, ROUND = "/boards/{another}/rounds", f"{BOARD}/rounds/{{round}}"
HOOK = "/webhooks/{webhook}"
RUBRIC = {"name": "Cost", "criterion": "cost", "description": "", "weight": "1"}
FORMS = {
    "a new board in the menu": Form(IDEA, "/boards", {"name": BLANK}, "new-board", EMPTY),
    "a new board": Form(
        "/boards", "/boards", {"name": LONG, "goal": "Fun"}, "board-name", FIT.format(200)
    ),
    "the goal of a new board": Form(
        "/boards", "/boards", {"name": "Trip", "goal": LONG_TEXT}, "board-goal", FIT.format("8,192")
    ),
    "a board's name": Form(BOARD, BOARD, {"name": BLANK, "goal": "Fun"}, "board-name", EMPTY),
    "a board's goal": Form(
        BOARD, BOARD, {"name": "Trip", "goal": LONG_TEXT}, "board-goal", FIT.format("8,192")
    ),
    "a comment of spaces": Form(IDEA, f"{IDEA}/comments", {"body": BLANK}, "comment-text", EMPTY),
    "a comment that is too long": Form(
        IDEA, f"{IDEA}/comments", {"body": LONG_TEXT}, "comment-text", FIT.format("4,000")
    ),
    "a comment that became too long": Form(
        IDEA,
        COMMENT,
        {"body": LONG_TEXT, "revision": "1"},
        "comment-text-{comment}",
        FIT.format("4,000"),
    ),
    "words for an image that are too long": Form(
        IDEA, FILE, {"alt": LONG + LONG}, "alt-{attachment}", FIT.format(300)
    ),
    "a file that was not chosen": Form(IDEA, f"{IDEA}/attachments", {}, "file", "Choose a file"),
    "a topic of spaces": Form(
        BOARD, f"{BOARD}/brainstorm", {"topic": BLANK, "context": "In June"}, "topic", EMPTY
    ),
    "a topic that is too long": Form(
        f"{BOARD}?sort=old", f"{BOARD}/brainstorm", {"topic": LONG}, "topic", FIT.format(200)
    ),
    "a topic that is far too long": Form(
        BOARD, f"{BOARD}/brainstorm", {"topic": LONG * 6}, "topic", "limit is 200"
    ),
    "a background that is too long": Form(
        BOARD, f"{BOARD}/brainstorm", {"topic": "Fun", "context": LONG_TEXT}, "context", "limit is"
    ),
    "an answer that is too long": Form(
        BOARD, f"{BOARD}/brainstorm", {"topic": "Fun", "tried": "x" * 301}, "tried", "limit is 300"
    ),
    "too many ideas": Form(
        BOARD, f"{BOARD}/brainstorm", {"topic": "Fun", "n": "50"}, "n", "the limit is 20"
    ),
    "no number of ideas": Form(
        BOARD, f"{BOARD}/brainstorm", {"topic": "Fun", "n": "ten"}, "n", "a whole number"
    ),
    "a creativity out of range": Form(
        BOARD, f"{BOARD}/brainstorm", {"topic": "Fun", "creativity": "3"}, "creativity", "at most 1"
    ),
    "an unknown method": Form(
        BOARD, f"{BOARD}/brainstorm", {"topic": "Fun", "method": "luck"}, "method", "Choose one"
    ),
    "a new idea": Form(
        f"{BOARD}?run={{run}}", f"{BOARD}/ideas", {"title": BLANK, "body": "Hm"}, "new-title", EMPTY
    ),
    "the text of a new idea": Form(
        BOARD, f"{BOARD}/ideas", {"title": "Shelf", "body": LONG_TEXT}, "new-body", "limit is 8,192"
    ),
    "a tag of a new idea": Form(
        BOARD,
        f"{BOARD}/ideas",
        {"title": "Shelf", "tags": f"a, {LONG_TAG}"},
        "new-tags",
        "limit is 40",
    ),
    "a tag of selected ideas": Form(
        BOARD,
        f"{BOARD}/bulk",
        {"idea": ["{idea}"], "tags": LONG_TAG, "operation": "add_tags"},
        "bulk-tag",
        "limit is 40",
    ),
    "no tag for selected ideas": Form(
        BOARD,
        f"{BOARD}/bulk",
        {"idea": ["{idea}"], "tags": BLANK, "operation": "add_tags"},
        "bulk-tag",
        "Write a tag first",
    ),
    "one idea to combine": Form(
        BOARD, f"{BOARD}/combine", {"idea": ["{idea}"]}, "bulk", "Select two to 5 ideas"
    ),
    "no idea to evaluate": Form(
        BOARD, f"{BOARD}/evaluate-selected", {"rubric": ""}, "bulk", "Select ideas first"
    ),
    "the topic of a round": Form(
        ROUNDS, ROUNDS, {"topic": LONG, "minutes": "5"}, "round-topic", FIT.format(200)
    ),
    "the minutes of a round": Form(
        ROUNDS, ROUNDS, {"topic": "Fun", "minutes": "90"}, "round-minutes", "at most 60"
    ),
    "an idea of a round": Form(
        ROUND, f"{ROUND}/ideas", {"title": BLANK, "body": "Hm"}, "round-idea", EMPTY
    ),
    "the text of an idea of a round": Form(
        ROUND, f"{ROUND}/ideas", {"title": "Hm", "body": LONG_TEXT}, "round-text", "limit is 8,192"
    ),
    "an idea's title": Form(
        IDEA,
        IDEA,
        {"title": LONG, "body": "New", "tags": "a", "revision": "{revision}"},
        "title",
        "limit is 200",
    ),
    "an idea's text": Form(
        IDEA,
        IDEA,
        {"title": "Shelf", "body": LONG_TEXT, "revision": "{revision}"},
        "text",
        "limit is 8,192",
    ),
    "an idea's tags": Form(
        IDEA,
        IDEA,
        {"title": "Shelf", "tags": LONG_TAG, "revision": "{revision}"},
        "tags",
        "limit is 40",
    ),
    "an idea on a page of its own": Form(
        f"{IDEA}/edit",
        IDEA,
        {"title": BLANK, "body": "New", "revision": "{revision}"},
        "title-{idea}",
        EMPTY,
    ),
    "a wish": Form(
        IDEA, f"{IDEA}/refine", {"instruction": LONG_TEXT}, "instruction", "limit is 8,192"
    ),
    "a passage that is not there": Form(
        IDEA,
        f"{IDEA}/refine",
        {"instruction": "Shorter", "selection": "no such words"},
        "selection",
        "passage is not in the text",
    ),
    "a branch of too many ideas": Form(IDEA, f"{IDEA}/brainstorm", {"n": "99"}, "branch-n", "20"),
    "nothing selected to keep": Form(
        f"{BOARD}?run={{run}}", f"{RUN}/keep-selected", {}, "keep-selected", "Select suggestions"
    ),
    "nothing selected to keep on the run's page": Form(
        RUN, f"{RUN}/keep-selected", {}, "keep-selected", "Select suggestions first"
    ),
    "the title of a suggestion": Form(
        RUN, f"{CARD}/keep", {"title": LONG, "body": "So"}, "title-{suggestion}", "limit is 200"
    ),
    "the text of a suggestion": Form(
        f"{BOARD}?run={{run}}",
        f"{CARD}/keep",
        {"title": "Shelf", "body": LONG_TEXT},
        "text-{suggestion}",
        "limit is 8,192",
    ),
    "no change ticked": Form(
        f"{IDEA}?run={{refine}}",
        f"{REFINE}/accept",
        {"take": "chosen", "revision": "{revision}", "idea_version": "1"},
        "proposal",
        "Tick at least one change",
    ),
    "a proposal edited": Form(
        f"{REFINE}/edit?take=chosen&edits=1",
        f"{REFINE}/accept",
        {"take": "chosen", "edits": "1", "title": BLANK, "body": "New", "revision": "{revision}"},
        "mine-title",
        EMPTY,
    ),
    "too many pairs": Form(
        f"{BOARD}/rank", f"{BOARD}/rank/compare", {"pairs": "900"}, "pairs", "at most 200"
    ),
    "a new rubric's name": Form(
        RUBRICS, RUBRICS, RUBRIC | {"name": BLANK}, "rubric-name-new", EMPTY
    ),
    "a rubric's name that is taken": Form(
        RUBRICS, RUBRICS, RUBRIC | {"name": "Street"}, "rubric-name-new", "already"
    ),
    "a criterion of a new rubric": Form(
        RUBRICS,
        RUBRICS,
        {"name": "Cost", "criterion": ["", LONG], "description": ["", ""], "weight": ["1", "1"]},
        "criterion-new-1",
        "limit is 40",
    ),
    "a weight of a rubric": Form(
        RUBRICS,
        "/rubrics/{rubric}",
        RUBRIC | {"weight": "much", "revision": "1"},
        "weight-{rubric}-0",
        "a number",
    ),
    "a criterion that is there twice": Form(
        RUBRICS,
        RUBRICS,
        {"name": "Cost", "criterion": ["a", "a"], "description": ["", ""], "weight": ["1", "1"]},
        "rubric-form-new",
        "must not contain “a” twice",
    ),
    "a rubric without criteria": Form(
        RUBRICS, RUBRICS, {"name": "Cost", "criterion": ""}, "rubric-form-new", "Add at least one"
    ),
    "a group's title": Form(
        f"{BOARD}/clusters",
        f"{BOARD}/clusters",
        {
            "groups": "3",
            "fingerprint": "{fingerprint}",
            "anchor": "{anchor}",
            "suggested": "x",
            "chosen": "{anchor}",
            "title": LONG_TAG,
        },
        "title-{anchor}",
        "limit is 40",
    ),
    "the address of a new webhook": Form(
        "/webhooks", "/webhooks", {"url": "example.org"}, "webhook-url", "must look like"
    ),
    "an address inside the network": Form(
        "/webhooks",
        "/webhooks",
        {"url": "http://127.0.0.1/", "kind": "idea.created"},
        "webhook-url",
        "inside a private network",
    ),
    "the address of a webhook": Form(
        "/webhooks/{webhook}",
        "/webhooks/{webhook}",
        {"url": "https://u:p@example.org/"},
        "webhook-url",
        "must not have a user",
    ),
    "an import of nothing": Form(
        "/import?board={board}", "/import", {"text": BLANK}, "import-file", "Choose a file"
    ),
}

FORMS |= {
    "the name of who joins": Form(
        "/join/{invitation}", "/join/{invitation}", {"name": BLANK}, "name", EMPTY
    ),
    "the name of a key": Form("/me", "/me/keys", {"key_name": LONG}, "key-name", FIT.format(60)),
}

# What is sent by buttons alone, or by choices that the page itself offers: nothing is typed there.
# Whoever has no name, as here, has none to change.
CHOICES = {
    "/me", "/me/sign-out", "/me/keys/*/revoke", "/people/invitations", "/people/*",
    "/people/invitations/*/withdraw", "/people/*/remove", "/people/*/restore", "/people/*/sign-out",
    "/people/*/revoke-keys",
    "/boards/from-template", "/boards/sample", "/boards/*/delete", "/boards/*/restore", "/boards/*/taste", "/boards/*/taste/forget", "/boards/*/evaluate", "/boards/*/rank/votes",
    "/boards/*/people-first", "/boards/*/rounds/*/end", "/boards/*/rounds/*/extend", "/boards/*/rounds/*/names",
    "/boards/*/rank/votes/*/undo", "/boards/*/delete-for-good",
    "/boards/*/rubrics/shown", "/boards/*/trash/delete", "/boards/*/trash/restore",
    "/changes/*/undo", "/comments/*/delete", "/comments/*/restore", "/ideas/*/delete", "/ideas/*/evaluate",
    "/attachments/*/delete", "/attachments/*/restore", "/ideas/*/preview", "/ideas/*/ticks",
    "/ideas/*/like", "/ideas/*/move", "/ideas/*/place", "/ideas/*/restore", "/ideas/*/star", "/ideas/*/status",
    "/boards/*/share", "/boards/*/share/*/withdraw", "/webhooks/*/switch", "/webhooks/*/test",
    "/webhooks/*/delete", "/webhooks/*/deliveries/*/retry",
    "/ideas/*/versions/*/restore", "/import/*", "/import/*/stop", "/language", "/models", "/models/calibration",
    "/models/calibration/delete", "/models/speed", "/rubrics/*/delete",
    "/rubrics/*/restore", "/runs/*/again", "/runs/*/reopen/*", "/runs/*/keep-all", "/runs/*/more", "/runs/*/reject",
    "/runs/*/stop", "/shortcuts", "/suggestions/*/avoid", "/suggestions/*/discard",
    "/suggestions/*/more", "/suggestions/*/redraw", "/suggestions/*/reopen", "/theme",
}  # fmt: skip

# Where a browser ends up that loads the address of a form.
ADDRESSES = {
    "/boards/from-template": "/boards/new",
    "/boards/sample": "/boards/new",
    "/boards": "/boards",
    BOARD: BOARD,
    "/import": "/import",
    ROUNDS: ROUNDS,
    f"{BOARD}/people-first": BOARD,
    "/language": BOARD,
    "/join/{invitation}": "/join/{invitation}",
    "/me": "/me",
    "/me/keys": "/me",
    "/me/keys/{key}/revoke": "/me",
    "/me/sign-out": "/me",
    "/people/invitations": "/people",
    "/people/invitations/{link}/withdraw": "/people",
    "/people/{person}": "/people",
    "/people/{person}/remove": "/people/{person}/remove",
    "/people/{person}/restore": "/people",
    "/people/{person}/sign-out": "/people",
    "/people/{person}/revoke-keys": "/people",
    "/models": "/models",
    "/models/speed": "/models",
    "/models/calibration": "/models",
    "/models/calibration/delete": "/models",
    "/shortcuts": BOARD,
    "/theme": BOARD,
    "/changes/{change}/undo": BOARD,
    FILE: IDEA,
    f"{FILE}/delete": IDEA,
    f"{FILE}/restore": IDEA,
    COMMENT: IDEA,
    f"{COMMENT}/delete": IDEA,
    f"{COMMENT}/restore": IDEA,
    RUBRICS: RUBRICS,
    f"{RUBRICS}/shown": RUBRICS,
    f"{BOARD}/trash/restore": f"{BOARD}/trash",
    f"{BOARD}/delete-for-good": "/boards",
    f"{RUN}/reopen/1": RUN,
    f"{BOARD}/clusters": f"{BOARD}/clusters",
    f"{BOARD}/taste": f"{BOARD}/taste",
    f"{BOARD}/taste/forget": f"{BOARD}/taste/forget",
    f"{BOARD}/rank/compare": f"{BOARD}/rank",
    f"{BOARD}/rank/votes": f"{BOARD}/rank",
    f"{BOARD}/rank/votes/{{vote}}/undo": f"{BOARD}/rank",
    f"{BOARD}/share": f"{BOARD}/share",
    f"{BOARD}/share/{{link}}/withdraw": f"{BOARD}/share",
    "/webhooks": "/webhooks",
    HOOK: HOOK,
    f"{HOOK}/switch": HOOK,
    f"{HOOK}/test": HOOK,
    f"{HOOK}/delete": f"{HOOK}/delete",
    f"{HOOK}/deliveries/{{delivery}}/retry": HOOK,
    IDEA: IDEA,
    f"{IDEA}/versions/1/restore": IDEA,
    "/rubrics/{rubric}": RUBRICS,
} | {
    f"{page}/{action}": page
    for page, actions in {
        BOARD: "bulk brainstorm combine delete evaluate evaluate-selected ideas restore",
        ROUND: "end extend ideas names",
        IDEA: "attachments brainstorm comments delete evaluate like move place preview refine restore "
        "star status ticks",
        RUN: "accept again keep-all keep-selected more reject stop",
    }.items()
    for action in actions.split()
}
ADDRESSES |= {f"/rubrics/{{rubric}}/{action}": RUBRICS for action in ("delete", "restore")}
ADDRESSES |= {
    f"{CARD}/{action}": RUN for action in ("avoid", "discard", "keep", "more", "redraw", "reopen")
}


class Page(HTMLParser):
    """A page's elements by their ids, and what its fields hold by their names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: dict[str, dict[str, str]] = {}
        self.texts: dict[str, str] = {}
        self.held: dict[str, list[str]] = {}
        self.body: dict[str, str] = {}
        self._open: list[tuple[str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "body":
            self.body = found
        if "id" in found:
            self.elements[found["id"]] = found
        is_chosen = found.get("type") not in ("checkbox", "radio") or "checked" in found
        if tag == "input" and is_chosen:
            self.held.setdefault(found.get("name", ""), []).append(found.get("value", ""))
        self._open.append((tag, found))

    def handle_endtag(self, tag: str) -> None:
        """Of elements that have no end, too: they end with the one around them."""
        if any(one == tag for one, _ in self._open):
            while self._open.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        for tag, attributes in self._open:
            if "id" in attributes:
                self.texts[attributes["id"]] = self.texts.get(attributes["id"], "") + data
            if tag == "textarea":
                # A line break right after the tag is no part of what is in the field.
                text = data.removeprefix("\n")
                self.held.setdefault(attributes.get("name", ""), []).append(text)

    def said_of(self, field_id: str) -> str:
        """What stands beside the field, as it is read out with it."""
        ids = self.elements[field_id].get("aria-describedby", "").split()
        errors = [one for one in ids if self.elements[one].get("class") == "field-error"]
        return " ".join(self.texts[one] for one in errors)


@dataclass(frozen=True)
class Pool:
    """An app with something on each page; `ids` are what the addresses name."""

    client: TestClient
    ids: Mapping[str, str] = field(default_factory=dict)

    def address(self, template: str) -> str:
        return template.format(**self.ids)

    def fields(self, form: Form) -> dict[str, Any]:
        return {
            name: [self.address(one) for one in value]
            if isinstance(value, list)
            else self.address(value)
            for name, value in form.fields.items()
        }

    def send(self, form: Form, *, with_scripts: bool) -> httpx2.Response:
        page = HOST + self.address(form.page)
        sent_by = {"hx-request": "true", "hx-current-url": page} if with_scripts else {}
        headers = BROWSER | {"referer": page} | sent_by
        return self.client.post(self.address(form.path), data=self.fields(form), headers=headers)

    def load(self, address: str) -> httpx2.Response:
        return self.client.get(address, headers=BROWSER)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """For the whole table: what is refused changes nothing."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("pool"),
        title_limit=200,
        idea_limit=8192,
        suggestion_limit=20,
    )
    backend = FakeBackend()
    app = create_app(settings, backend)
    with TestClient(app, base_url=HOST, raise_server_exceptions=False) as client:
        yield Pool(client, stocked(client, backend))


def stocked(client: TestClient, backend: FakeBackend) -> dict[str, str]:
    def post(path: str, **body: Any) -> Any:
        response = client.post(f"/api/v1{path}", json=body)
        assert response.is_success, response.text
        return response.json()

    board = client.get("/api/v1/boards").json()[0]["id"]
    another = post("/boards", name="Another")["id"]
    begun = post(f"/boards/{board}/rounds", topic="Fun", minutes=60)
    ideas = [post("/ideas", title=title, body=body) for title, body in TEXTS.items()]
    idea = ideas[-1]["id"]
    run = post("/brainstorm", topic="Fun", n=2)
    backend.replies.append(refine_answer("Walking Bus", "Children walk in two lines.", ("Two",)))
    rubric = post(
        f"/boards/{board}/rubrics", name="Street", criteria=[{"name": "joy", "weight": 1}]
    )
    found = client.get(f"/api/v1/boards/{board}/clusters?granularity=3").json()
    made = post("/ideas/bulk", operation="set_star", ids=[idea], star=True)
    vote = post(
        f"/boards/{board}/comparisons",
        first_id=ideas[0]["id"], second_id=idea, first_version=1, second_version=1, outcome="tie",
    )  # fmt: skip
    webhook = post("/webhooks", url="https://hook.invalid/")["id"]
    invitation = post("/invitations", role="reader")["url"].rpartition("/")[2]
    sent = {"file": ("wall.png", png())}
    file = client.post(f"/api/v1/ideas/{idea}/attachments", files=sent).json()
    return {
        "attachment": file["id"],
        "invitation": invitation,
        "person": add_person(store_of(client), "Ada"),
        "key": "none",
        "webhook": webhook,
        "delivery": post(f"/webhooks/{webhook}/test")["id"],
        "link": post(f"/boards/{board}/links")["id"],
        "board": board,
        "another": another,
        "round": begun["id"],
        "idea": idea,
        "revision": str(client.get(f"/api/v1/ideas/{idea}").json()["revision"]),
        "run": run["run_id"],
        "suggestion": run["suggestions"][0]["id"],
        "refine": post("/refine", idea_id=idea)["run_id"],
        "rubric": rubric["id"],
        "fingerprint": found["fingerprint"],
        "anchor": found["clusters"][0]["anchor_id"],
        "change": made["id"],
        "vote": vote["id"],
        "comment": post(f"/ideas/{idea}/comments", body="Who pays?")["id"],
    }


@pytest.mark.parametrize("with_scripts", [True, False], ids=["with scripts", "without"])
@pytest.mark.parametrize("name", FORMS)
def test_what_is_wrong_stands_beside_the_field(pool: Pool, name: str, with_scripts: bool) -> None:
    form = FORMS[name]
    at = pool.address(form.at)

    response = pool.send(form, with_scripts=with_scripts)
    page = Page(response.text)
    is_field = page.elements[at].get("name") is not None
    focused = [one for one in page.elements if "autofocus" in page.elements[one]]

    assert response.status_code == 422
    assert form.said in page.said_of(at)
    assert focused == [at if is_field else f"{at}-problem"]
    assert page.elements[at].get("aria-invalid") == ("true" if is_field else None)


@pytest.mark.parametrize("name", FORMS)
def test_what_was_typed_and_chosen_is_kept(pool: Pool, name: str) -> None:
    page = Page(pool.send(FORMS[name], with_scripts=False).text)
    wanted = pool.fields(FORMS[name])
    offered = {"method", "rubric", "take", "operation", "groups", "fingerprint", "suggested"}

    for field_name, value in wanted.items():
        if field_name not in offered:
            values = value if isinstance(value, list) else [value]
            assert set(values) <= set(page.held[field_name]), field_name


@pytest.mark.parametrize("name", FORMS)
def test_a_refused_form_never_changes_the_address_bar(pool: Pool, name: str) -> None:
    form = FORMS[name]

    assert pool.send(form, with_scripts=True).headers["hx-push-url"] == "false"
    # Without htmx the browser shows the form's address first; the page's script puts this one back.
    page = Page(pool.send(form, with_scripts=False).text)
    assert page.body["data-address"] == pool.address(form.page)
    assert pool.load(page.body["data-address"]).status_code == 200


def test_every_form_of_the_pages_is_in_these_tables() -> None:
    sent_to = {re.sub(r"\{\w+\}", "*", one.path) for one in FORMS.values()}
    routes = {
        re.sub(r"\{\w+\}", "*", route.path or "")
        for route in iter_route_contexts(pages.router.routes)
        if "POST" in (route.methods or ())
    }

    assert sent_to | CHOICES == routes
    assert not sent_to & CHOICES


@pytest.mark.parametrize("path", sorted(ADDRESSES))
def test_every_address_that_may_get_into_the_bar_is_a_page(pool: Pool, path: str) -> None:
    response = pool.load(pool.address(path))

    assert response.status_code == 200
    assert urlsplit(str(response.url)).path == pool.address(ADDRESSES[path])
    assert "</main>" in response.text


def test_the_addresses_of_all_forms_are_tried() -> None:
    tried = {re.sub(r"\{\w+\}|\b1\b", "*", path) for path in ADDRESSES}

    wanted = {re.sub(r"\{\w+\}", "*", one.path) for one in FORMS.values()} | CHOICES
    # An imported file is gone, and its preview with it. The question about ideas needs to know which.
    assert wanted - tried == {"/import/*", "/import/*/stop", "/boards/*/trash/delete"}


def test_a_program_is_told_that_an_address_is_not_for_it(pool: Pool) -> None:
    response = pool.client.get(pool.address(f"{RUN}/keep-selected"))

    assert (response.status_code, response.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("with_scripts", [True, False], ids=["with scripts", "without"])
def test_what_was_saved_after_a_refusal_is_not_shown_as_an_error(
    client: TestClient, with_scripts: bool
) -> None:
    pool = Pool(client, stocked(client, FakeBackend()))
    form = FORMS["nothing selected to keep"]
    refused = pool.send(form, with_scripts=with_scripts)
    # With scripts the bar has kept the page's address; else it has the form's.
    here = HOST + pool.address(form.page if with_scripts else form.path)
    sent_by = {"hx-request": "true", "hx-current-url": here} if with_scripts else {}

    kept = client.post(
        pool.address(form.path),
        data={"suggestion": pool.ids["suggestion"]},
        headers=BROWSER | {"referer": here} | sent_by,
    )

    assert refused.status_code == 422
    assert (kept.status_code, kept.request.method) == (200, "GET")
    assert "1 idea is on the board now." in kept.text
    assert 'id="keep-selected-problem"' not in kept.text


def test_a_card_that_is_edited_comes_back_with_what_was_typed(pool: Pool) -> None:
    here = {"hx-current-url": HOST + pool.address(BOARD), "hx-request": "true"}
    card = pool.address("idea-{idea}")
    response = pool.client.post(
        pool.address(IDEA),
        data={"title": LONG, "body": "New words", "tags": "a, b", "revision": pool.ids["revision"]},
        headers=BROWSER | here | {"hx-target": f"li#{card}"},
    )
    page = Page(response.text)

    assert response.status_code == 422
    assert "limit is 200" in page.said_of(pool.address("title-{idea}"))
    assert (page.held["title"], page.held["body"]) == ([LONG], ["New words"])
    assert (page.held["tags"], page.held["revision"]) == (["a, b"], [pool.ids["revision"]])
    assert card in page.elements
    assert "<main" not in response.text


def test_what_is_refused_does_not_hide_that_somebody_else_saved(client: TestClient) -> None:
    """The revision that was read stays in the form, or the next press would save over theirs."""
    pool = Pool(client, stocked(client, FakeBackend()))
    read = pool.ids["revision"]
    client.patch(pool.address("/api/v1/ideas/{idea}"), json={"body": "Theirs."})

    refused = pool.send(FORMS["an idea on a page of its own"], with_scripts=False)
    again = client.post(
        pool.address(IDEA),
        data={"title": "Mine", "body": "Mine.", "revision": Page(refused.text).held["revision"]},
        headers=BROWSER,
    )

    assert Page(refused.text).held["revision"] == [read]
    assert again.status_code == 409
    assert "Theirs." in again.text
    assert "Mine." in again.text


@pytest.mark.parametrize("with_scripts", [True, False], ids=["with scripts", "without"])
def test_what_belongs_to_no_field_is_an_alert_and_what_was_typed_stays(
    client: TestClient, backend: FakeBackend, with_scripts: bool
) -> None:
    pool = Pool(client, stocked(client, backend))
    backend.model = replace(backend.model, roles=())
    form = Form(BOARD, f"{BOARD}/brainstorm", {"topic": "Fun", "context": "In June"}, "", "")

    response = pool.send(form, with_scripts=with_scripts)

    assert response.status_code == 503
    assert "No model of the catalog serves" in response.text
    assert response.headers["hx-push-url"] == "false"
    # Where there are scripts, the form is still there.
    assert ("<main" in response.text) is not with_scripts
    if not with_scripts:
        assert Page(response.text).held["topic"] == ["Fun"]
        assert Page(response.text).held["context"] == ["In June"]


@pytest.mark.parametrize("with_scripts", [True, False], ids=["with scripts", "without"])
def test_a_fault_that_no_field_of_the_page_can_show_is_an_alert(
    pool: Pool, with_scripts: bool
) -> None:
    form = Form(BOARD, f"{BOARD}/bulk", {"idea": ["{idea}"], "status": "lost"}, "", "")

    response = pool.send(form, with_scripts=with_scripts)

    assert response.status_code == 422
    assert "Status: Choose one of" in response.text
    assert "field-error" not in response.text


def test_a_page_that_cannot_be_shown_again_makes_way_for_the_error(client: TestClient) -> None:
    pool = Pool(client, {"board": "no-such-board"})
    form = Form(BOARD, f"{BOARD}/ideas", {"title": "Shelf"}, "", "")

    response = pool.send(form, with_scripts=False)

    assert response.status_code == 404
    assert 'class="oops"' in response.text


def test_a_group_with_a_title_that_is_too_long_can_be_looked_at(pool: Pool) -> None:
    form = FORMS["a group's title"]
    page = pool.client.get(pool.address(form.page), params=pool.fields(form), headers=BROWSER)

    assert page.status_code == 200
    assert form.said in Page(page.text).said_of(pool.address(form.at))
    assert Page(page.text).held["title"] == [LONG_TAG]


def test_a_page_with_a_run_under_way_is_not_loaded_anew_over_what_was_typed(
    client: TestClient, backend: FakeBackend
) -> None:
    pool = Pool(client, stocked(client, backend))
    backend.gate.clear()
    started = client.post(
        pool.address(f"{BOARD}/brainstorm"), data={"topic": "Fun"}, headers=BROWSER
    )
    page = urlsplit(str(started.url))
    form = replace(FORMS["a topic of spaces"], page=f"{page.path}?{page.query}")

    refused = pool.send(form, with_scripts=False)

    assert 'http-equiv="refresh"' in started.text
    assert 'http-equiv="refresh"' not in refused.text
    assert EMPTY in Page(refused.text).said_of("topic")
    backend.gate.set()


def test_no_field_cuts_what_is_pasted_into_it() -> None:
    """`maxlength` cuts without a word; `data-most` counts, and the server refuses."""
    assert [
        path.name for path in TEMPLATES.rglob("*.html") if "maxlength=" in path.read_text()
    ] == []


def test_a_form_that_comes_back_is_taken_in_by_htmx() -> None:
    sending = re.compile(r'(?:hx-post="|\{\{ ui\.(?:post|send_to)\()[^>]*>')
    forms = [
        found
        for path in TEMPLATES.rglob("*.html")
        if path.name != "shared/macros.html"
        for found in sending.findall(path.read_text())
    ]

    assert len(forms) > 40
    assert [one for one in forms if "ui." not in one and "hx-status:422" not in one] == []
