"""Likes of ideas and comments on them, over REST and on the pages."""

import re
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from service.actor import Role
from service.errors import Forbidden, NotFound
from service.schemas.comments import CommentCreate, CommentUpdate
from service.schemas.identity import now
from service.store import Store
from tests.support.people import acting_as, add_person

IDEAS, COMMENTS = "/api/v1/ideas", "/api/v1/comments"
BROWSER = {"accept": "text/html", "sec-fetch-site": "same-origin"}
pytestmark = pytest.mark.both_databases


@pytest.fixture
def idea(client: TestClient) -> str:
    return str(client.post(IDEAS, json={"title": "Lend tools"}).json()["id"])


def say(client: TestClient, idea: str, text: str) -> str:
    response = client.post(f"{IDEAS}/{idea}/comments", json={"body": text})
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def kinds(store: Store, idea: str) -> list[str]:
    board = store.ideas.get(idea).board_id
    return [one.kind for one in store.activity.after(board, 0) if one.subject_id == idea]


def test_a_like_is_counted_once_however_often_it_is_sent(client: TestClient, idea: str) -> None:
    first = client.put(f"{IDEAS}/{idea}/like")
    again = client.put(f"{IDEAS}/{idea}/like")
    gone = client.delete(f"{IDEAS}/{idea}/like")

    assert [one.status_code for one in (first, again, gone)] == [200, 200, 204]
    assert (again.json()["likes"], again.json()["liked"]) == (1, True)
    after = client.get(f"{IDEAS}/{idea}").json()
    assert (after["likes"], after["liked"]) == (0, False)


def test_each_person_has_a_like_of_their_own(client: TestClient, store: Store, idea: str) -> None:
    client.put(f"{IDEAS}/{idea}/like")
    with acting_as(add_person(store, "Ada")):
        liked = store.likes.set(idea, liked=True)
    with acting_as(add_person(store, "Ben")):
        seen = store.ideas.get(idea)

    assert (liked.likes, liked.liked) == (2, True)
    assert (seen.likes, seen.liked) == (2, False)


def test_a_like_makes_another_answer_but_no_conflict(client: TestClient, idea: str) -> None:
    read = client.get(f"{IDEAS}/{idea}").headers["etag"]
    client.put(f"{IDEAS}/{idea}/like")
    newer = client.get(f"{IDEAS}/{idea}", headers={"if-none-match": read})
    same = client.get(f"{IDEAS}/{idea}", headers={"if-none-match": newer.headers["etag"]})

    def change(etag: str) -> int:
        headers = {"if-match": etag}
        return client.patch(f"{IDEAS}/{idea}", json={"star": True}, headers=headers).status_code

    assert (newer.status_code, same.status_code) == (200, 304)
    assert change(read) == 200
    assert change(newer.headers["etag"]) == 412


def test_the_most_liked_ideas_come_first_on_every_page_of_the_list(
    client: TestClient, store: Store
) -> None:
    ideas = [client.post(IDEAS, json={"title": f"Idea {place}"}).json()["id"] for place in range(5)]
    people = [add_person(store, f"Person {number}") for number in range(3)]
    for place, likes in ((1, 3), (3, 2), (4, 1)):
        for person in people[:likes]:
            with acting_as(person):
                store.likes.set(ideas[place], liked=True)

    found: list[str] = []
    url: str | None = f"{IDEAS}?sort=likes&limit=2"
    while url is not None:
        page = client.get(url)
        found += [one["id"] for one in page.json()]
        link = re.search(r"<(.+?)>", page.headers.get("link", ""))
        url = link[1] if link else None

    assert found == [ideas[place] for place in (1, 3, 4, 2, 0)]


def test_a_comment_is_made_read_changed_and_deleted(client: TestClient, idea: str) -> None:
    made = client.post(f"{IDEAS}/{idea}/comments", json={"body": "Who pays?"})
    where = made.headers["location"]
    changed = client.patch(where, json={"body": "Who **pays**?"}, headers={"if-match": '"1"'})

    assert (made.status_code, made.headers["etag"], made.json()["edited_at"]) == (201, '"1"', None)
    assert changed.json()["edited_at"] is not None
    assert client.get(where).json() == changed.json()
    assert client.get(f"{IDEAS}/{idea}/comments").json() == [changed.json()]
    assert client.get(f"{IDEAS}/{idea}").json()["comments"] == 1
    assert client.delete(where).status_code == 204
    assert client.get(where).status_code == 404
    assert client.get(f"{IDEAS}/{idea}/comments").json() == []
    assert client.get(f"{IDEAS}/{idea}").json()["comments"] == 0


def test_comments_are_listed_oldest_first_in_pages(client: TestClient, idea: str) -> None:
    made = [say(client, idea, f"Comment {place}") for place in range(5)]

    first = client.get(f"{IDEAS}/{idea}/comments?limit=3")
    second = client.get(re.findall(r"<(.+?)>", first.headers["link"])[0])

    assert [one["id"] for one in first.json() + second.json()] == made
    assert "link" not in second.headers


def test_a_change_of_an_older_text_is_refused(client: TestClient, idea: str) -> None:
    place = f"{COMMENTS}/{say(client, idea, 'One')}"
    old = {"if-match": '"1"'}
    client.patch(place, json={"body": "Two"}, headers=old)

    for refused in (
        client.patch(place, json={"body": "Three"}, headers=old),
        client.delete(place, headers=old),
    ):
        assert (refused.status_code, refused.headers["etag"]) == (412, '"2"')
    assert client.get(place).json()["body"] == "Two"


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 4001])
def test_a_comment_has_1_to_4000_characters(client: TestClient, idea: str, text: str) -> None:
    refused = client.post(f"{IDEAS}/{idea}/comments", json={"body": text})

    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/body")
    assert client.post(f"{IDEAS}/{idea}/comments", json={"body": "x" * 4000}).status_code == 201


def test_a_comment_belongs_to_its_author_and_owners_may_delete_it(store: Store, idea: str) -> None:
    ada, ben = add_person(store, "Ada"), add_person(store, "Ben")
    with acting_as(ada):
        comment = store.comments.add(idea, CommentCreate(body="Mine"))
    assert comment.author is not None
    assert (comment.author.name, comment.may_edit, comment.may_delete) == ("Ada", True, True)

    with acting_as(ben):
        seen = store.comments.get(comment.id)
        assert (seen.may_edit, seen.may_delete) == (False, False)
        with pytest.raises(Forbidden):
            store.comments.update(comment.id, CommentUpdate(body="His"))
        with pytest.raises(Forbidden):
            store.comments.delete(comment.id)
    with acting_as(ben, Role.OWNER):
        with pytest.raises(Forbidden):
            store.comments.update(comment.id, CommentUpdate(body="His"))
        assert store.comments.delete(comment.id).body == "Mine"


def test_what_has_no_author_is_not_every_nameless_keys(store: Store, idea: str) -> None:
    comment = store.comments.add(idea, CommentCreate(body="From the machine itself"))

    with acting_as(None, Role.EDITOR), pytest.raises(Forbidden):
        store.comments.update(comment.id, CommentUpdate(body="From a key"))


def test_a_deleted_comment_comes_back_until_it_is_purged(
    client: TestClient, store: Store, idea: str
) -> None:
    back, gone = say(client, idea, "Back"), say(client, idea, "Gone")
    for one in (back, gone):
        client.delete(f"{COMMENTS}/{one}")
    restored = client.post(f"{COMMENTS}/{back}/restore")

    assert store.comments.purge_before(now() - timedelta(hours=1)) == 0
    assert store.comments.purge_before(now() + timedelta(seconds=1)) == 1
    assert (restored.status_code, restored.json()["body"]) == (200, "Back")
    assert client.post(f"{COMMENTS}/{gone}/restore").status_code == 404


def test_an_idea_deleted_for_good_takes_its_comments_and_likes_along(
    client: TestClient, store: Store, idea: str
) -> None:
    comment = say(client, idea, "Who pays?")
    client.put(f"{IDEAS}/{idea}/like")
    client.delete(f"{IDEAS}/{idea}")
    assert client.get(f"{COMMENTS}/{comment}").status_code == 404
    client.post(f"{IDEAS}/{idea}/restore")
    assert client.get(f"{COMMENTS}/{comment}").status_code == 200

    client.delete(f"{IDEAS}/{idea}")
    assert client.delete(f"{IDEAS}/{idea}?for_good=true").status_code == 204

    assert store.comments.board_of(comment) is None
    archive = client.get("/api/v1/export").json()
    assert archive["comments"] == archive["likes"] == []


def test_what_people_do_is_recorded_for_the_idea(
    client: TestClient, store: Store, idea: str
) -> None:
    client.put(f"{IDEAS}/{idea}/like")
    client.put(f"{IDEAS}/{idea}/like")
    comment = say(client, idea, "One")
    client.patch(f"{COMMENTS}/{comment}", json={"body": "Two"})
    client.delete(f"{COMMENTS}/{comment}")
    client.post(f"{COMMENTS}/{comment}/restore")

    assert kinds(store, idea)[1:] == [
        "like.changed",
        *("comment.created", "comment.changed", "comment.deleted", "comment.created"),
    ]


def test_the_page_shows_comments_without_what_could_harm(client: TestClient, idea: str) -> None:
    say(client, idea, "**Bold** <script>alert(1)</script> ![](http://evil.example/x.png)")

    page = client.get(f"/ideas/{idea}", headers=BROWSER).text
    card = client.get("/", headers=BROWSER).text

    assert "<strong>Bold</strong>" in page
    assert "<script>alert" not in page
    assert 'src="http://evil' not in page
    assert f'href="/ideas/{idea}#comments"' in card


def test_the_forms_of_a_comment_work_without_scripts(client: TestClient, idea: str) -> None:
    def send(path: str, **fields: str) -> str:
        response = client.post(path, data=fields, headers=BROWSER, follow_redirects=False)
        assert response.status_code == 303, response.text
        return response.headers["location"]

    address = send(f"/ideas/{idea}/comments", body="One")
    comment = address.rpartition("#comment-")[2]

    assert address == f"/ideas/{idea}#comment-{comment}"
    assert send(f"/comments/{comment}", body="Two", revision="1") == address
    assert client.get(f"{COMMENTS}/{comment}").json()["body"] == "Two"
    assert send(f"/comments/{comment}/delete") == f"/ideas/{idea}"
    assert f'action="/comments/{comment}/restore"' in client.get(f"/ideas/{idea}").text
    assert send(f"/comments/{comment}/restore") == address
    assert send(f"/ideas/{idea}/like", like="true") == f"/ideas/{idea}"
    assert 'id="like" aria-pressed="true"' in client.get(f"/ideas/{idea}").text


def test_two_edits_of_a_comment_end_in_a_page_with_both_texts(
    client: TestClient, idea: str
) -> None:
    comment = say(client, idea, "One")
    client.patch(f"{COMMENTS}/{comment}", json={"body": "Theirs"})

    response = client.post(
        f"/comments/{comment}", data={"body": "My own", "revision": "1"}, headers=BROWSER
    )

    assert response.status_code == 409
    assert "Theirs" in response.text
    assert "My own" in response.text
    assert 'name="revision" value="2"' in response.text


def test_a_comment_of_somebody_else_cannot_be_edited_on_the_page(
    client: TestClient, store: Store, idea: str
) -> None:
    with acting_as(add_person(store, "Ada")):
        comment = store.comments.add(idea, CommentCreate(body="Mine"))

    page = client.get(f"/ideas/{idea}", headers=BROWSER).text

    assert ">Ada</b>" in page
    assert f'action="/comments/{comment.id}"' not in page
    # Who is at the machine itself owns every board.
    assert f'action="/comments/{comment.id}/delete"' in page


def test_a_comment_on_nothing_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        store.comments.add("nothing", CommentCreate(body="Hello?"))
    with pytest.raises(NotFound):
        store.likes.set("nothing", liked=True)
