"""The pages of the trash, as a browser without scripts gets them."""

import re
from typing import Any
from urllib.parse import urlencode

from fastapi.testclient import TestClient
from httpx2 import Response

from service.settings import Settings
from tests.api.test_ideas import IDEAS, add
from tests.api.test_purging import aged
from tests.api.test_transfer import BOARDS, post
from tests.api.test_trash import delete, titles

PAGE = {"accept": "text/html"}


def show(client: TestClient, path: str) -> str:
    response = client.get(path, headers=PAGE)
    assert response.status_code == 200, response.text
    return response.text


def send(client: TestClient, path: str, *fields: tuple[str, str], **headers: str) -> Response:
    content = urlencode(fields)
    form = {"content-type": "application/x-www-form-urlencoded"}
    response: Response = client.post(path, content=content, headers=PAGE | form | headers)
    return response


def hidden(html: str) -> list[tuple[str, str]]:
    return re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', html)


def a_board(client: TestClient) -> str:
    return str(client.get(BOARDS).json()[0]["id"])


def picked(*ideas: dict[str, Any]) -> list[tuple[str, str]]:
    return [("idea", idea["id"]) for idea in ideas]


def test_a_board_whose_ideas_are_all_deleted_says_so_and_leads_to_its_trash(
    client: TestClient,
) -> None:
    board = a_board(client)
    assert "No ideas yet" in show(client, f"/boards/{board}")
    delete(client, add(client, "Soup")["id"], add(client, "Chalk")["id"])

    page = show(client, f"/boards/{board}")

    assert "No ideas yet" not in page
    assert "2 deleted ideas are in the trash." in page
    assert f'href="/boards/{board}/trash"' in page


def test_the_trash_shows_what_was_deleted_when_and_how_long_it_stays(
    client: TestClient, settings: Settings
) -> None:
    board = a_board(client)
    assert "The trash is empty" in show(client, f"/boards/{board}/trash")
    delete(client, add(client, "Soup", body="*One* pot.")["id"])
    aged(settings, 27.5)
    delete(client, add(client, "Chalk")["id"])

    page = " ".join(show(client, f"/boards/{board}/trash").split())

    assert page.index("Chalk") < page.index("Soup")
    assert "One pot." in page
    assert "30 days left" in page
    assert 'class="trash-soon">3 days left' in page


def test_ticked_ideas_are_restored_and_undo_puts_them_into_the_trash_again(
    client: TestClient,
) -> None:
    board = a_board(client)
    soup, chalk, bread = (add(client, title) for title in ("Soup", "Chalk", "Bread"))
    delete(client, soup["id"], chalk["id"], bread["id"])

    page = send(client, f"/boards/{board}/trash/restore", *picked(soup, chalk)).text

    assert titles(client) == ["Chalk", "Soup"]
    assert "2 ideas are back on the board." in page
    undo = re.search(r"/changes/[0-9a-f-]+/undo", page)
    assert undo is not None
    again = send(client, undo[0]).text
    assert "2 ideas are in the trash again." in again
    assert titles(client) == []


def test_restoring_everything_leads_back_to_the_board(client: TestClient) -> None:
    board = a_board(client)
    delete(client, add(client, "Soup")["id"])

    response = send(client, f"/boards/{board}/trash/restore", ("all", "true"))

    assert response.url.path == f"/boards/{board}"
    assert titles(client) == ["Soup"]


def test_emptying_asks_first_and_spares_what_was_deleted_after_the_question(
    client: TestClient,
) -> None:
    board = a_board(client)
    soup, chalk, bread = (add(client, title) for title in ("Soup", "Chalk", "Bread"))
    delete(client, soup["id"], chalk["id"])
    question = show(client, f"/boards/{board}/trash/delete?all=true")
    assert "Delete 2 ideas for good?" in question
    assert titles(client, deleted=True, sort="old") == ["Soup", "Chalk"]
    delete(client, bread["id"])

    page = send(client, f"/boards/{board}/trash/delete", *hidden(question)).text

    assert "Deleted 2 ideas for good." in page
    assert titles(client, deleted=True) == ["Bread"]


def test_ticked_ideas_are_deleted_for_good_after_a_question(client: TestClient) -> None:
    board = a_board(client)
    soup, chalk = add(client, "Soup"), add(client, "Chalk")
    delete(client, soup["id"], chalk["id"])
    question = show(client, f"/boards/{board}/trash/delete?idea={soup['id']}")
    assert "Delete this idea for good?" in question

    send(client, f"/boards/{board}/trash/delete", *hidden(question))

    assert titles(client, deleted=True) == ["Chalk"]
    nothing_ticked = client.get(f"/boards/{board}/trash/delete", headers=PAGE)
    assert nothing_ticked.status_code == 422
    assert titles(client, deleted=True) == ["Chalk"]


def test_deleting_several_ideas_of_a_board_asks_first_and_says_what_undo_brings_back(
    client: TestClient,
) -> None:
    board = a_board(client)
    ideas = [add(client, f"Idea {number}") for number in range(12)]
    address = f"http://localhost/boards/{board}?sort=title"
    wanted = [*picked(*ideas), ("operation", "delete")]

    question = send(client, f"/boards/{board}/bulk", *wanted, referer=address).text

    assert "Delete 12 ideas?" in question
    assert "and 2 more" in question
    assert len(titles(client)) == 12
    done = send(client, f"/boards/{board}/bulk", *hidden(question))
    assert str(done.url) == address
    assert "Deleted 12 ideas." in done.text
    undo = re.search(r"/changes/[0-9a-f-]+/undo", done.text)
    assert undo is not None
    post(client, f"{IDEAS}/{ideas[0]['id']}/restore")
    assert "11 ideas are back on the board." in send(client, undo[0]).text
    assert "There is nothing left to undo." in send(client, undo[0]).text


def test_one_idea_is_deleted_without_a_question(client: TestClient) -> None:
    board = a_board(client)
    one = [*picked(add(client, "Soup")), ("operation", "delete")]

    assert "Deleted 1 idea." in send(client, f"/boards/{board}/bulk", *one).text


def test_the_address_of_a_question_leads_back_to_the_board(client: TestClient) -> None:
    board = a_board(client)

    assert client.get(f"/boards/{board}/bulk", headers=PAGE).url.path == f"/boards/{board}"


def test_the_page_of_a_deleted_idea_offers_to_restore_it(client: TestClient) -> None:
    idea = add(client, "Soup")
    delete(client, idea["id"])

    page = client.get(f"/ideas/{idea['id']}", headers=PAGE)

    assert page.status_code == 404
    assert "“Soup” is in the trash" in page.text
    send(client, f"/ideas/{idea['id']}/restore")
    assert "Soup" in show(client, f"/ideas/{idea['id']}")


def test_deleted_boards_are_restored_from_the_page_of_the_boards(client: TestClient) -> None:
    garden = post(client, BOARDS, name="Garden")["id"]
    add(client, "Seeds", board_id=garden)
    assert "Deleted boards" not in show(client, "/boards")
    client.delete(f"{BOARDS}/{garden}")

    page = show(client, "/boards")

    assert "Deleted boards" in page
    assert f'action="/boards/{garden}/restore"' in page
    send(client, f"/boards/{garden}/restore")
    assert titles(client, board=garden) == ["Seeds"]


def test_a_deleted_board_is_deleted_for_good_after_a_question(client: TestClient) -> None:
    garden = post(client, BOARDS, name="Garden")["id"]
    add(client, "Seeds", board_id=garden)
    client.delete(f"{BOARDS}/{garden}")
    question = show(client, f"/boards/{garden}/delete-for-good")
    assert "Delete the board “Garden” for good?" in question
    assert "Its 1 idea and everything else on it" in question

    page = send(client, f"/boards/{garden}/delete-for-good").text

    assert "The board is deleted for good." in page
    assert "Deleted boards" not in page
    gone = client.get(f"/boards/{garden}/delete-for-good", headers=PAGE)
    assert gone.url.path == "/boards"


def test_an_idea_says_that_it_branched_from_one_that_is_deleted(client: TestClient) -> None:
    parent = add(client, "Soup")
    child = add(client, "Bread", parent_id=parent["id"])
    delete(client, parent["id"])

    assert "branched from a deleted idea" in show(client, f"/ideas/{child['id']}")


LIST = "- Soup from one pot\n- Chalk\n- Bread\n"


def preview(client: TestClient, text: str) -> tuple[str, str]:
    """The address and the page."""
    content = client.post("/import", files={"file": ("list.md", text.encode())}, headers=PAGE)
    return str(content.url), content.text


def test_a_preview_offers_to_restore_what_it_recognises_in_the_trash(client: TestClient) -> None:
    address, page = preview(client, LIST)
    send(client, address.partition("?")[0], *hidden(page))
    delete(client, *(idea["id"] for idea in client.get(IDEAS).json()[:2]))

    address, page = preview(client, LIST)

    said = " ".join(page.split())
    assert "2 of these ideas are in the trash. Restore them." in said
    assert 'name="restore" value="true" checked' in said
    assert said.count("Restored from the trash") == 2
    done = send(client, address.partition("?")[0], *hidden(page), ("restore", "true"))
    assert "Restored 2 ideas from the trash." in done.text
    assert len(titles(client)) == 3


def test_what_is_in_the_trash_stays_there_if_the_box_is_not_ticked(client: TestClient) -> None:
    address, page = preview(client, LIST)
    send(client, address.partition("?")[0], *hidden(page))
    delete(client, *(idea["id"] for idea in client.get(IDEAS).json()))

    address, page = preview(client, LIST)
    unticked = show(client, address.replace("restore=True", "restore=false"))
    send(client, address.partition("?")[0], *hidden(unticked))

    assert "Stays in the trash" in unticked
    assert "3 of these ideas are in the trash. Restore them." in " ".join(unticked.split())
    assert titles(client) == []
