"""Importing text files over REST: new ideas, existing ideas, dry runs and faults."""

import base64
import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.web.pages.responses import FLASH_COOKIE
from tests.api.test_transfer import BOARDS, EXPORT, IDEAS, IMPORT, Json, exported, post

pytestmark = pytest.mark.both_databases

LIST = "# Street party\n\n- Soup from one pot #food\n- [x] Chalk the road\n"
KINDS = {"markdown": "text/markdown", "csv": "text/csv; charset=utf-8", "lines": "text/plain"}


def import_text(
    client: TestClient, text: str | bytes, kind: str = "text/markdown", **query: Any
) -> Json:
    response = client.post(IMPORT, content=text, headers={"content-type": kind}, params=query)
    assert response.status_code == 200, response.text
    answer: Json = response.json()
    return answer


def actions(answer: Json) -> list[tuple[str, str]]:
    return [(idea["action"], idea["reason"]) for idea in answer["ideas"]]


def on_boards(client: TestClient) -> list[tuple[str, str]]:
    """Returns (board, title) of all ideas, oldest first."""
    names = {board["id"]: board["name"] for board in client.get(BOARDS).json()}
    ideas = client.get(IDEAS, params={"sort": "old", "limit": 100}).json()
    return [(names[idea["board_id"]], idea["title"]) for idea in ideas]


def test_list_items_are_added_to_the_board_that_the_heading_names(client: TestClient) -> None:
    answer = import_text(client, LIST)

    assert answer["added"]["boards"] == 1
    assert answer["added"]["ideas"] == answer["added"]["versions"] == 2
    assert on_boards(client) == [
        ("Street party", "Soup from one pot"),
        ("Street party", "Chalk the road"),
    ]
    soup, chalk = client.get(IDEAS, params={"sort": "old"}).json()
    assert (soup["tags"], soup["status"], soup["origin"]) == (["food"], "draft", "import")
    assert (chalk["tags"], chalk["status"]) == ([], "done")
    assert client.get(f"{IDEAS}/{soup['id']}/versions").json()[0]["origin"] == "import"
    assert client.get(IDEAS, params={"q": "pot food"}).json() == [soup]


@pytest.mark.parametrize("format", list(KINDS))
@pytest.mark.parametrize("by", ["content-type", "format"])
def test_the_format_comes_from_the_media_type_or_the_parameter(
    client: TestClient, format: str, by: str
) -> None:
    text = "title\nSoup\n" if format == "csv" else "Soup\n"
    kind, query = (KINDS[format], {}) if by == "content-type" else ("", {"format": format})

    assert import_text(client, text, kind, **query)["added"]["ideas"] == 1
    assert on_boards(client) == [("My ideas", "Soup")]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (LIST, "text/markdown"),
        ("Soup\nChalk\n\nSoup\n", "text/plain"),
        ("name,board\nSoup,Party\nChalk,Other\n", "text/csv"),
        ("# Soup\n\nOne pot.\n\n# Chalk\n", "text/markdown"),
    ],
)
def test_importing_a_text_twice_adds_nothing(client: TestClient, text: str, kind: str) -> None:
    import_text(client, text, kind)
    before = exported(client)

    again = import_text(client, text, kind)

    assert set(again["added"].values()) == {0}
    assert exported(client) == before


def test_a_dry_run_reports_the_same_result_and_writes_nothing(client: TestClient) -> None:
    before = exported(client)

    dry = import_text(client, LIST, dry_run=True)

    assert dry["dry_run"]
    assert exported(client) == before
    real = import_text(client, LIST)
    assert {**dry, "dry_run": False} == real
    assert real["ideas"][0] == {
        "action": "add",
        "reason": "",
        "id": client.get(IDEAS, params={"sort": "old"}).json()[0]["id"],
        "title": "Soup from one pot",
        "board": "Street party",
        "line": 3,
        "changes": [],
    }


def test_a_dry_run_of_json_counts_and_writes_nothing(client: TestClient) -> None:
    post(client, IDEAS, title="Soup", body="One pot.")
    archive = client.get(EXPORT).json()
    archive["ideas"].append(archive["ideas"][0] | {"id": "another"})
    before = exported(client)

    response = client.post(IMPORT, json=archive, params={"dry_run": True})

    assert response.json()["added"]["ideas"] == 1
    assert actions(response.json()) == [("skip", "there"), ("add", "")]
    assert exported(client) == before


@pytest.mark.parametrize("format", ["markdown", "csv"])
def test_importing_an_export_into_its_own_server_changes_nothing(
    client: TestClient, format: str
) -> None:
    board = post(client, BOARDS, name="Street party", goal="For all.")["id"]
    post(client, IDEAS, board_id=board, title="=Soup", body="One\n\n## pot", tags=["a, b", "c"])
    post(client, IDEAS, title="Chalk", status="kept", star=True)
    before = exported(client)
    file = client.get(EXPORT, params={"format": format}).content

    for update in (False, True):
        answer = import_text(client, file, KINDS[format], update=update)
        assert actions(answer) == [("skip", "there")] * 2
    assert exported(client) == before


@pytest.mark.parametrize("format", ["markdown", "csv"])
def test_an_edited_export_updates_existing_ideas_only_on_request(
    client: TestClient, format: str
) -> None:
    idea = post(client, IDEAS, title="Soup", body="One pot.", tags=["food"])
    file = client.get(EXPORT, params={"format": format}).text.replace("One pot.", "Two pots.")
    file = file.replace("draft", "kept")

    left = import_text(client, file, KINDS[format])
    dry = import_text(client, file, KINDS[format], update=True, dry_run=True)
    changed = import_text(client, file, KINDS[format], update=True)

    assert actions(left) == [("skip", "there")]
    assert dry["ideas"] == changed["ideas"]
    assert changed["changed"]["ideas"] == 1
    assert changed["ideas"][0]["changes"] == ["body", "status"]
    after = client.get(f"{IDEAS}/{idea['id']}").json()
    assert (after["body"], after["status"], after["tags"]) == ("Two pots.", "kept", ["food"])
    versions = client.get(f"{IDEAS}/{idea['id']}/versions").json()
    assert [version["origin"] for version in versions] == ["import", "human"]


def test_a_new_board_name_in_the_table_moves_the_idea_on_update(client: TestClient) -> None:
    post(client, IDEAS, title="Soup")
    file = client.get(EXPORT, params={"format": "csv"}).text.replace("My ideas", "Kitchen")

    answer = import_text(client, file, "text/csv", update=True)

    assert answer["ideas"][0]["changes"] == ["board"]
    assert on_boards(client) == [("Kitchen", "Soup")]


def test_a_newly_ticked_box_makes_the_idea_done_on_update(client: TestClient) -> None:
    import_text(client, "- [ ] Soup\n- [ ] Chalk\n")

    answer = import_text(client, "- [x] Soup\n- [ ] Chalk\n", update=True)

    assert [idea["changes"] for idea in answer["ideas"]] == [["status"], []]
    assert client.get(IDEAS, params={"status": "done"}).json()[0]["title"] == "Soup"


def test_an_existing_idea_without_an_imported_id_is_matched_by_its_text(client: TestClient) -> None:
    post(client, IDEAS, title="Soup")

    assert actions(import_text(client, "Soup\nChalk\nChalk\n", "text/plain")) == [
        ("skip", "same-text"),
        ("add", ""),
        ("skip", "twice"),
    ]


def test_importing_again_leaves_edited_and_deleted_ideas_as_they_are(client: TestClient) -> None:
    import_text(client, "Soup\nChalk\n", "text/plain")
    chalk, soup = client.get(IDEAS).json()
    client.patch(f"{IDEAS}/{soup['id']}", json={"title": "Minestrone"})
    client.delete(f"{IDEAS}/{chalk['id']}")

    again = import_text(client, "Soup\nChalk\n", "text/plain")

    assert actions(again) == [("skip", "there"), ("skip", "deleted")]
    assert on_boards(client) == [("My ideas", "Minestrone")]


def test_a_deleted_board_stays_deleted_and_one_new_board_takes_its_name(
    client: TestClient,
) -> None:
    import_text(client, LIST)
    first = client.get(BOARDS).json()[1]["id"]
    client.delete(f"{BOARDS}/{first}")

    again = import_text(client, LIST)
    third = import_text(client, LIST)

    assert (again["added"]["ideas"], third["added"]["ideas"]) == (2, 0)
    assert client.get(f"{BOARDS}/{first}").status_code == 404
    assert len(client.get(BOARDS).json()) == 2


def test_ideas_without_a_board_go_to_the_chosen_default_board(client: TestClient) -> None:
    board = post(client, BOARDS, name="Garden")["id"]

    import_text(client, "Soup\n", "text/plain", board=board)
    import_text(client, LIST, groups="tags", board=board)

    assert {name for name, _ in on_boards(client)} == {"Garden"}
    assert client.get(IDEAS, params={"tag": "Street party"}).json()
    refused = client.post(IMPORT, content="Soup", params={"format": "lines", "board": "nobody"})
    assert refused.status_code == 404


def test_nested_items_can_become_branches_of_the_outer_idea(client: TestClient) -> None:
    import_text(client, "- Soup\n  - Minestrone\n", nested="ideas")

    soup, minestrone = client.get(IDEAS, params={"sort": "old"}).json()
    assert minestrone["parent_id"] == soup["id"]


def test_a_file_with_a_fault_is_refused_with_line_and_column_and_writes_nothing(
    client: TestClient,
) -> None:
    before = exported(client)

    response = client.post(
        IMPORT, content="title,status\nSoup,kept\nChalk,Backlog\n", params={"format": "csv"}
    )

    problem = response.json()
    assert response.status_code == 422
    assert problem["detail"].startswith("Line 3, column 2: “Backlog” is not a status")
    assert [(one["line"], one["column"]) for one in problem["errors"]] == [(3, 2)]
    assert exported(client) == before


@pytest.mark.parametrize(
    ("content", "format", "line"),
    [
        ("title\nSoup\n" + "x" * 201, "csv", 3),
        ("title,body\nSoup," + "x" * 8193, "csv", 2),
        ("- Soup\n- " + "x " * 5000, "markdown", 2),
    ],
)
def test_texts_that_are_too_long_are_refused_with_their_line(
    client: TestClient, content: str, format: str, line: int
) -> None:
    response = client.post(IMPORT, content=content, params={"format": format})

    assert response.status_code == 422
    assert response.json()["errors"][0]["line"] == line
    assert on_boards(client) == []


def test_an_update_by_json_is_refused(client: TestClient) -> None:
    archive = client.get(EXPORT).json()

    response = client.post(IMPORT, json=archive, params={"update": True})

    assert response.status_code == 422
    assert "CSV or Markdown" in response.json()["detail"]


def test_text_that_is_not_an_idea_is_reported_as_ignored(client: TestClient) -> None:
    answer = import_text(client, "Minutes\n\n- Soup\n")

    assert answer["left_out"] == [{"line": 1, "text": "Minutes"}]


def test_ten_thousand_lines_are_imported_at_once(client: TestClient) -> None:
    text = "".join(f"Idea number {number}\n" for number in range(10_000))

    answer = import_text(client, text, "text/plain")

    assert answer["added"]["ideas"] == 10_000
    assert len(answer["ideas"]) == 200


def test_ideas_in_the_trash_are_restored_only_on_request(
    client: TestClient,
) -> None:
    import_text(client, LIST)
    soup = client.get(IDEAS, params={"q": "soup"}).json()[0]
    client.patch(f"{IDEAS}/{soup['id']}", json={"star": True, "body": "Minestrone."})
    client.delete(f"{IDEAS}/{soup['id']}")

    left = import_text(client, LIST)
    dry = import_text(client, LIST, restore=True, dry_run=True)
    assert client.get(f"{IDEAS}/{soup['id']}").status_code == 404
    back = import_text(client, LIST, restore=True)

    assert (left["in_trash"], left["restored"]["ideas"]) == (1, 0)
    assert actions(left) == [("skip", "deleted"), ("skip", "there")]
    assert dry["ideas"] == back["ideas"]
    assert actions(back) == [("restore", ""), ("skip", "there")]
    assert (back["in_trash"], back["restored"]["ideas"], back["already_there"]["ideas"]) == (
        *(0, 1, 1),
    )
    found = client.get(f"{IDEAS}/{soup['id']}").json()
    assert (found["star"], found["body"], found["tags"]) == (True, "Minestrone.", ["food"])
    assert client.get(IDEAS, params={"q": "minestrone"}).json() == [found]


def test_a_restored_idea_can_be_updated_from_the_file(client: TestClient) -> None:
    idea = post(client, IDEAS, title="Soup", body="One pot.")
    file = client.get(EXPORT, params={"format": "csv"}).text.replace("One pot.", "Two pots.")
    client.delete(f"{IDEAS}/{idea['id']}")

    answer = import_text(client, file, "text/csv", restore=True, update=True)

    assert answer["ideas"][0]["action"] == "restore"
    assert answer["ideas"][0]["changes"] == ["body"]
    assert client.get(f"{IDEAS}/{idea['id']}").json()["body"] == "Two pots."


def test_a_deleted_board_is_restored_with_its_ideas(client: TestClient) -> None:
    import_text(client, LIST)
    first = client.get(BOARDS).json()[1]["id"]
    client.delete(f"{BOARDS}/{first}")

    dry = import_text(client, LIST, restore=True, dry_run=True)
    answer = import_text(client, LIST, restore=True)

    assert {**dry, "dry_run": False} == answer
    assert (answer["restored"]["boards"], answer["restored"]["ideas"]) == (1, 2)
    assert (answer["added"]["boards"], answer["added"]["ideas"]) == (0, 0)
    assert [board["id"] for board in client.get(BOARDS).json()][1] == first
    assert len(on_boards(client)) == 2


def test_an_idea_of_a_deleted_board_is_restored_to_the_board_that_the_file_names(
    client: TestClient,
) -> None:
    board = post(client, BOARDS, name="Garden")["id"]
    idea = post(client, IDEAS, board_id=board, title="Soup")
    file = client.get(EXPORT, params={"format": "csv"}).text.replace("Garden", "Kitchen")
    client.delete(f"{BOARDS}/{board}")

    answer = import_text(client, file, "text/csv", restore=True)

    assert (answer["added"]["boards"], answer["restored"]["ideas"]) == (1, 1)
    assert on_boards(client) == [("Kitchen", "Soup")]
    assert client.get(f"{IDEAS}/{idea['id']}").status_code == 200


@pytest.mark.parametrize("is_board_deleted", [False, True])
def test_an_archive_restores_what_was_deleted_since(
    client: TestClient, is_board_deleted: bool
) -> None:
    board = post(client, BOARDS, name="Garden")["id"]
    ideas = [post(client, IDEAS, board_id=board, title=title) for title in ("Soup", "Chalk")]
    archive = client.get(EXPORT).json()
    before = exported(client)
    client.delete(f"{IDEAS}/{ideas[0]['id']}")
    if is_board_deleted:
        client.delete(f"{BOARDS}/{board}")

    left = client.post(IMPORT, json=archive).json()
    back = client.post(IMPORT, json=archive, params={"restore": True}).json()

    count = 2 if is_board_deleted else 1
    assert (left["in_trash"], left["restored"]["ideas"]) == (count, 0)
    assert (back["in_trash"], back["restored"]["ideas"]) == (0, count)
    assert back["restored"]["boards"] == int(is_board_deleted)
    assert [action for action, _ in actions(back)].count("restore") == count
    after = exported(client)
    for archived in (before, after):
        for idea in archived["ideas"]:
            del idea["revision"], idea["updated_at"]
    assert after == before


TABLE = "What,Why\nSoup,It is warm.\n"


def test_columns_are_chosen_over_rest(client: TestClient) -> None:
    answer = import_text(client, TABLE, KINDS["csv"], title_column="What", body_column="Why")

    assert answer["added"]["ideas"] == 1
    assert client.get(IDEAS).json()[0]["body"] == "It is warm."


@pytest.mark.parametrize(
    ("kind", "query", "pointer"),
    [
        ("csv", {"title_column": "Who"}, "/title_column"),
        ("markdown", {"body_column": "Why"}, "/body_column"),
    ],
)
def test_columns_that_cannot_be_taken_are_refused(
    client: TestClient, kind: str, query: dict[str, str], pointer: str
) -> None:
    response = client.post(
        IMPORT, content=TABLE, headers={"content-type": KINDS[kind]}, params=query
    )

    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == pointer
    assert client.get(IDEAS).json() == []


def test_a_page_asks_for_the_columns_that_it_does_not_know(client: TestClient) -> None:
    file = {"file": ("ideas.csv", TABLE, "text/csv")}
    first = client.post("/import", files=file)

    assert first.status_code == 200
    assert "Which column holds the titles?" in first.text
    assert "<option>Why</option>" in first.text
    assert 'id="confirm"' not in first.text

    query = {"title_column": "What", "body_column": "Why", "tags_column": "-"}
    second = client.get(first.url.copy_merge_params(query))
    assert "1 new idea" in second.text
    assert '<input type="hidden" name="body_column" value="Why">' in second.text
    form = {"format": "csv", **query}
    client.post(second.url.path, data=form)
    assert on_boards(client) == [("My ideas", "Soup")]


@pytest.mark.parametrize("end", [" x", " <!"])
def test_pairs_of_quotes_in_a_line_of_facts_do_not_stop_the_server(
    client: TestClient, end: str
) -> None:
    text = '# T\n\nStatus: draft · Tags: "' + '""' * 40 + end + "\n"

    response = client.post(IMPORT, content=text, headers={"content-type": "text/markdown"})

    assert response.status_code in (200, 422)


def test_a_flash_cookie_that_expands_without_end_is_not_shown(client: TestClient) -> None:
    packed: Any = "x" * 20
    for _ in range(24):
        packed = {"message": "%(a)s%(a)s", "values": {"a": packed}}
    cookie = base64.urlsafe_b64encode(json.dumps([packed, ""]).encode()).decode()

    client.cookies.set(FLASH_COOKIE, cookie)

    page = client.get("/import")

    assert page.status_code == 200
    assert len(page.content) < 200_000
