"""Boards from templates, the sample board, and the pages for help and about."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.actor import Role
from service.app import create_app
from service.cli.main import main
from service.onboarding import catalogue
from service.onboarding.boards import sample_id, template_of
from service.schemas.webhooks import WebhookCreate
from service.settings import Settings
from tests.support.fake_backend import FakeBackend
from tests.support.people import acting_as, add_person, store_of

API = "/api/v1"
PAGE = {"accept": "text/html", "sec-fetch-site": "same-origin"}
SWEDISH = PAGE | {"accept-language": "sv"}


def show(client: TestClient, path: str, headers: dict[str, str] = PAGE) -> str:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.text


def press(client: TestClient, path: str, **fields: str) -> str:
    """Sends a form of a page; returns the page that it leads to."""
    answer = client.post(path, data=fields, headers=PAGE)
    assert answer.status_code == 200, answer.text
    return answer.text


def boards(client: TestClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"{API}/boards").json()
    return found


def sample(client: TestClient, **body: str) -> dict[str, Any]:
    answer = client.post(f"{API}/boards/sample", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_templates_are_listed_in_the_language_that_is_asked_for(client: TestClient) -> None:
    english = client.get(f"{API}/board-templates").json()
    swedish = client.get(f"{API}/board-templates", params={"language": "sv"}).json()
    accepted = client.get(f"{API}/board-templates", headers={"accept-language": "sv"}).json()

    assert [one["id"] for one in english] == [one["id"] for one in swedish]
    assert (english[0]["name"], swedish[0]["name"]) == ("Retrospective", "Återblick")
    assert accepted == swedish
    refused = client.get(f"{API}/board-templates", params={"language": "xx"})
    assert (refused.status_code, "en, sv" in refused.json()["detail"]) == (422, True)


@pytest.mark.parametrize("language", ["en", "sv"])
@pytest.mark.parametrize("number", range(8))
def test_a_board_from_a_template_has_its_goal_rubric_tags_and_topics(
    client: TestClient, language: str, number: int
) -> None:
    template = catalogue.templates(language)[number]

    made = client.post(f"{API}/boards", json={"template": template.id, "language": language})

    assert made.status_code == 201
    board = made.json()
    assert (board["name"], board["goal"]) == (template.name, template.goal)
    rubric = client.get(f"{API}/boards/{board['id']}/rubrics").json()[0]
    assert (rubric["name"], rubric["is_shown"]) == (template.rubric.name, True)
    assert [one["name"] for one in rubric["criteria"]] == [
        one.name for one in template.rubric.criteria
    ]
    page = show(client, f"/boards/{board['id']}")
    for text in (*template.tags, *(prompt.topic for prompt in template.prompts)):
        assert text in page
    assert template_of(board["id"], [rubric["id"]]) == template


def test_what_is_named_replaces_what_the_template_says(client: TestClient) -> None:
    wanted = {"template": "retro", "name": "Our autumn", "goal": "Fewer late evenings"}

    board = client.post(f"{API}/boards", json=wanted).json()

    assert (board["name"], board["goal"], board["language"]) == (
        *("Our autumn", "Fewer late evenings"),
        "",
    )


@pytest.mark.parametrize(
    ("wanted", "status", "said"),
    [
        ({}, 422, "Name the board, or choose a template."),
        ({"template": "party"}, 404, "There is no template “party”"),
        ({"template": "retro", "language": "fi"}, 422, "There are no templates in the language"),
        ({"name": "x", "template": "retro", "goal": "y" * 9000}, 422, "limit"),
    ],
)
def test_a_board_that_cannot_be_made_says_why_and_leaves_nothing(
    client: TestClient, wanted: dict[str, str], status: int, said: str
) -> None:
    refused = client.post(f"{API}/boards", json=wanted)

    assert refused.status_code == status
    assert said in refused.text
    assert len(boards(client)) == 1


def test_a_template_fills_the_unused_board_that_it_is_taken_on(client: TestClient) -> None:
    board = boards(client)[0]["id"]

    page = press(client, "/boards/from-template", template="festival", in_place_of=board)

    assert "The board “Village festival” is ready." in page
    assert [one["id"] for one in boards(client)] == [board]


def test_a_name_that_somebody_gave_stays_when_a_template_fills_the_board(
    client: TestClient,
) -> None:
    board = client.post(f"{API}/boards", json={"name": "Harvest home"}).json()["id"]

    press(client, "/boards/from-template", template="festival", in_place_of=board)

    filled = client.get(f"{API}/boards/{board}").json()
    assert filled["name"] == "Harvest home"
    assert filled["goal"].startswith("A festival")


@pytest.mark.parametrize("used_for", ["an idea", "a deleted idea", "a goal", "a rubric"])
def test_a_template_never_changes_a_board_that_was_used(client: TestClient, used_for: str) -> None:
    board = boards(client)[0]["id"]
    if used_for == "a goal":
        client.patch(f"{API}/boards/{board}", json={"goal": "Fun"})
    elif used_for == "a rubric":
        criteria = [{"name": "cost"}]
        client.post(
            f"{API}/boards/{board}/rubrics", json={"name": "Cost", "criteria": criteria}
        ).raise_for_status()
    else:
        idea = client.post(f"{API}/ideas", json={"board_id": board, "title": "Soup"}).json()["id"]
        if used_for == "a deleted idea":
            client.delete(f"{API}/ideas/{idea}")
    before = client.get(f"{API}/boards/{board}").json()

    press(client, "/boards/from-template", template="festival", in_place_of=board)

    assert client.get(f"{API}/boards/{board}").json() == before
    assert [one["name"] for one in boards(client)] == ["My ideas", "Village festival"]


def test_the_topics_stay_when_the_board_is_renamed_and_exported(
    client: TestClient, elsewhere: Settings
) -> None:
    board = client.post(f"{API}/boards", json={"template": "names"}).json()["id"]
    client.patch(f"{API}/boards/{board}", json={"name": "Our café", "goal": "Short"})
    exported = client.get(f"{API}/export", params={"board": board, "format": "json"}).json()
    topic = catalogue.template("names", "en").prompts[0].topic

    app = create_app(elsewhere, FakeBackend())
    with TestClient(app, base_url="http://localhost") as other:
        assert other.post(f"{API}/import", json=exported).status_code == 200

        assert topic in show(other, f"/boards/{board}")


def test_a_topic_in_the_address_fills_the_form(client: TestClient) -> None:
    board = boards(client)[0]["id"]

    page = show(client, f"/boards/{board}?topic=a+quiet+%22garden%22&method=reverse")

    assert 'name="topic" value="a quiet &#34;garden&#34;"' in page
    assert re.search(r'<option value="reverse"[^>]* selected', page)
    assert "topic=" not in page.split('id="list"')[1].split("prompts")[0]


def test_the_sample_is_made_once_and_recognised(client: TestClient) -> None:
    first = sample(client)
    again = sample(client, language="en")

    assert (first["id"], again["id"]) == (sample_id("en"), sample_id("en"))
    assert len(boards(client)) == 2
    page = show(client, f"/boards/{first['id']}")
    assert "This is a sample board." in page
    assert "This is a sample board." not in show(client, f"/boards/{boards(client)[0]['id']}")
    assert len(client.get(f"{API}/ideas", params={"board": first["id"]}).json()) == 14


def test_the_sample_has_versions_lineage_and_a_rubric_but_no_invented_judgement(
    client: TestClient,
) -> None:
    board = sample(client)["id"]
    ideas = client.get(f"{API}/ideas", params={"board": board}).json()
    by_title = {one["title"]: one for one in ideas}

    grown = by_title["A pot of soup for people who are ill"]
    assert grown["parent_id"] == by_title["Soup from one pot"]["id"]
    versions = client.get(
        f"{API}/ideas/{by_title['Tool shelf in the bicycle cellar']['id']}/versions"
    )
    assert [one["title"] for one in versions.json()] == [
        *("Tool shelf in the bicycle cellar", "Share tools"),
    ]
    assert client.get(f"{API}/boards/{board}/rubrics").json()[0]["name"] == "For our street"
    assert {one["score"] for one in ideas} == {None}
    assert {(one["author"], one["likes"], one["comments"]) for one in ideas} == {(None, 0, 0)}
    assert client.get(f"{API}/boards/{board}/comparisons").json() == []
    found = client.get(f"{API}/ideas", params={"board": board, "q": "ladders"}).json()
    assert [one["title"] for one in found] == ["Tool shelf in the bicycle cellar"]


def test_the_sample_is_removed_with_one_click_and_comes_back(client: TestClient) -> None:
    board = sample(client)["id"]

    page = press(client, f"/boards/{board}/delete")

    assert "is deleted." in page
    assert f'action="/boards/{board}/restore"' in page
    assert len(boards(client)) == 1
    assert client.get(f"{API}/boards/{board}").status_code == 404
    press(client, "/boards/sample")
    assert len(client.get(f"{API}/ideas", params={"board": board}).json()) == 14


def test_the_sample_can_be_made_anew_after_it_was_deleted_for_good(client: TestClient) -> None:
    board = sample(client)["id"]
    client.delete(f"{API}/boards/{board}")
    client.delete(f"{API}/boards/{board}", params={"for_good": "true"})

    assert sample(client)["id"] == board
    assert len(client.get(f"{API}/ideas", params={"board": board}).json()) == 14


def test_an_idea_moved_from_the_sample_stays_when_the_sample_is_made_anew(
    client: TestClient,
) -> None:
    other, board = boards(client)[0]["id"], sample(client)["id"]
    moved = client.get(f"{API}/ideas", params={"board": board}).json()[0]
    operation = {"operation": "move", "ids": [moved["id"]], "board_id": other}
    assert client.post(f"{API}/ideas/bulk", json=operation).status_code == 200
    client.delete(f"{API}/boards/{board}")
    client.delete(f"{API}/boards/{board}", params={"for_good": "true"})

    sample(client)

    assert len(client.get(f"{API}/ideas", params={"board": board}).json()) == 14
    assert client.get(f"{API}/ideas/{moved['id']}").json()["board_id"] == other


def test_each_language_has_a_sample_of_its_own(client: TestClient) -> None:
    english, swedish = sample(client), sample(client, language="sv")

    assert swedish["name"].startswith("Exempel")
    assert english["id"] != swedish["id"]
    assert client.post(f"{API}/boards/sample", json={"language": "fi"}).status_code == 422


def test_the_page_for_a_new_board_shows_every_template(client: TestClient) -> None:
    page = show(client, "/boards/new", SWEDISH)

    for template in catalogue.templates("sv"):
        assert template.name in page
        assert template.goal in page
        assert f'value="{template.id}"' in page


def test_the_command_lists_templates_and_makes_a_board(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IDEAPOOL_URL", url)

    def run(*arguments: str) -> str:
        assert main(arguments) == 0
        return capsys.readouterr().out

    assert "festival  Byfest" in run("boards", "templates", "--language", "sv")
    assert "Village festival" in run("boards", "create", "--template", "festival")
    assert "Harvest" in run("boards", "create", "Harvest", "--goal", "Apples")
    assert "Harvest" in run("boards")
    assert "Harvest" in run("boards", "list")
    assert main(["boards", "create", "--template", "party"]) == 1
    assert "There is no template" in capsys.readouterr().err


def test_options_before_the_action_of_the_command_count(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IDEAPOOL_URL", "http://127.0.0.1:9")

    assert main(["boards", "--url", url, "--json", "list"]) == 0
    assert '"name": "My ideas"' in capsys.readouterr().out


HIDDEN = ["/boards/new", "/people", "/webhooks", "/help/doctor"]


def as_role(client: TestClient, role: Role) -> Callable[[str], str]:
    person = add_person(store_of(client), "Ada")

    def look(path: str) -> str:
        with acting_as(person, role):
            return show(client, path)

    return look


@pytest.mark.parametrize("role", [Role.READER, Role.COMMENTER])
def test_readers_are_offered_no_new_board(client: TestClient, role: Role) -> None:
    board = sample(client)["id"]
    empty = boards(client)[0]["id"]
    look = as_role(client, role)

    for path in ("/boards", f"/boards/{board}", f"/boards/{empty}", "/help", "/about"):
        page = look(path)
        assert "/boards/new" not in page, path
        assert "/boards/sample" not in page, path
        assert "from-template" not in page, path
    assert "This is a sample board." in look(f"/boards/{board}")
    assert "Remove the sample board" not in look(f"/boards/{board}")


def test_help_shows_what_the_reader_may_do_and_leads_to_their_board(client: TestClient) -> None:
    board = client.post(f"{API}/boards", json={"name": "Trip"}).json()["id"]
    everything = show(client, f"/help?board={board}")
    little = as_role(client, Role.READER)(f"/help?board={board}")

    for path in HIDDEN:
        assert f'href="{path}"' in everything
        assert f'href="{path}"' not in little
    assert f'href="/boards/{board}/rank"' in everything
    assert "Owners of this Ideapool can do more" in little
    assert f'href="/boards/{boards(client)[0]["id"]}/rank"' in show(client, "/help?board=nope")


def test_every_link_of_the_help_page_leads_somewhere(client: TestClient) -> None:
    main_part = show(client, "/help").split("<main")[1].split("</main>")[0]
    links = {link.split("#")[0] for link in re.findall(r'href="(/[^"]*)"', main_part)}

    assert len(links) > 15
    assert {client.get(link, headers=PAGE).status_code for link in links} == {200}


def test_about_tells_owners_where_data_lies_and_readers_not(
    client: TestClient, settings: Settings
) -> None:
    place = str(settings.data_dir.resolve())

    assert place in show(client, "/about")
    assert place not in as_role(client, Role.READER)("/about")
    assert "ideapool_session" in as_role(client, Role.READER)("/about")


def test_about_says_what_leaves_the_machine(client: TestClient) -> None:
    assert "Nothing that you write leaves the machine." in show(client, "/about")
    store = store_of(client)
    store.webhooks.create(
        WebhookCreate(url="https://hooks.example.org/secret-path"), secret="x", origin=""
    )

    for page in (show(client, "/about"), as_role(client, Role.READER)("/about")):
        assert "only as the list below says" in page
        assert "secret-path" not in page


def test_about_names_the_hosts_of_engines_to_owners_only(migrated: Settings) -> None:
    engine = {"engine_url": "http://gpu.example.org:8080"}
    app = create_app(migrated.model_copy(update=engine), FakeBackend())
    with TestClient(app, base_url="http://localhost") as client:
        assert "gpu.example.org" in show(client, "/about")
        assert "gpu.example.org" not in as_role(client, Role.READER)("/about")


def test_about_lists_the_licences_of_what_is_bundled(client: TestClient) -> None:
    page = show(client, "/about")

    for name in ("htmx.org", "0BSD", "swagger-ui-dist", "WordLlama", "MIT", "CC0-1.0"):
        assert name in page
