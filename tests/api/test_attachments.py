"""Files on ideas: who may attach and see them, how much, and that nothing in them can run."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from service.actor import ACTOR, Actor, Role
from service.app import create_app
from service.errors import NotFound, RoleNeeded
from service.schemas.identity import now
from service.settings import Settings
from service.store import Store
from service.store.attachment_tables import Attachment, AttachmentPart
from service.store.attachments import MOST_OF_AN_IDEA, PART_BYTES
from tests.api.test_ideas import IDEAS, add
from tests.support.fake_backend import FakeBackend
from tests.support.people import store_of
from tests.unit.test_file_types import exif, jpeg, png, segment

pytestmark = pytest.mark.both_databases

FILES = "/api/v1/attachments"
BROWSER = {"accept": "text/html", "sec-fetch-site": "same-origin"}


@pytest.fixture
def idea(client: TestClient) -> str:
    return str(add(client, "Tool wall")["id"])


def send(client: TestClient, idea: str, name: str, content: bytes, **more: Any) -> Any:
    sent = {"file": (name, content, "text/html")}
    return client.post(f"{IDEAS}/{idea}/attachments", files=sent, **more)


def attach(client: TestClient, idea: str, name: str = "wall.png", content: bytes = b"") -> Any:
    made = send(client, idea, name, content or png())
    assert made.status_code == 201, made.text
    return made.json()


def stored(client: TestClient) -> tuple[int, int]:
    with store_of(client).attachments._database.read() as session:
        return len(session.exec(select(Attachment.id)).all()), len(
            session.exec(select(AttachmentPart.number)).all()
        )


def test_a_file_is_attached_listed_and_read(client: TestClient, idea: str) -> None:
    content = bytes(range(32, 127)) * 3000
    made = send(client, idea, "notes.txt", content)

    assert made.headers["location"] == f"{FILES}/{made.json()['id']}"
    file = made.json()
    assert (file["media_type"], file["size"], file["width"]) == ("text/plain", len(content), None)
    assert client.get(f"{IDEAS}/{idea}/attachments").json() == [file]
    assert client.get(f"{FILES}/{file['id']}").json() == file
    assert client.get(file["url"]).content == content
    assert stored(client) == (1, -(-len(content) // PART_BYTES))


def test_an_image_is_shown_and_never_run(client: TestClient, idea: str) -> None:
    answer = client.get(attach(client, idea)["url"])

    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"].startswith('inline; filename="wall.png"')
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    known = client.get(str(answer.url), headers={"if-none-match": answer.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        (
            "evil.png",
            b"<svg xmlns='x'><script>alert(1)</script></svg>",
            "image/svg+xml; charset=utf-8",
        ),
        ("evil.jpg", b"<!doctype html><script>alert(1)</script>", "text/html; charset=utf-8"),
        ("evil.gif", b"alert(1)", "text/plain; charset=utf-8"),
        ("paper.pdf", b"%PDF-1.7 ...", "application/pdf"),
    ],
)
def test_what_is_no_image_is_only_downloaded(
    client: TestClient, idea: str, name: str, content: bytes, kind: str
) -> None:
    answer = client.get(attach(client, idea, name, content)["url"])

    assert answer.headers["content-type"] == kind
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"


def test_a_hostile_name_cannot_add_headers_or_tags(client: TestClient, idea: str) -> None:
    file = attach(client, idea, 'x"\r\nSet-Cookie: a=b;<script>\u202egnp.html', b"words")

    answer = client.get(file["url"])
    page = client.get(f"/ideas/{idea}", headers=BROWSER)

    assert "set-cookie" not in answer.headers
    assert file["name"].endswith(".txt")
    assert "\u202e" not in page.text
    assert "<script>" not in page.text


def test_the_place_of_a_photo_is_not_stored(client: TestClient, idea: str) -> None:
    file = attach(client, idea, "me.jpg", jpeg(segment(0xE1, exif(6))))

    assert b"18.0686" not in client.get(file["url"]).content
    assert (file["width"], file["height"]) == (30, 40)


@pytest.mark.parametrize("content", [b"", b"\x7fELF\x01\x00", b"\xff\xd8\xff\xe0"])
def test_a_file_of_another_kind_is_refused(client: TestClient, idea: str, content: bytes) -> None:
    refused = send(client, idea, "x.png", content)

    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/file"
    assert stored(client) == (0, 0)


def test_a_request_without_a_file_says_what_is_missing(client: TestClient, idea: str) -> None:
    requests: list[dict[str, Any]] = [{"data": {"file": "text"}}, {"json": {}}, {}]
    for sent in requests:
        refused = client.post(f"{IDEAS}/{idea}/attachments", **sent)
        assert (refused.status_code, refused.json()["detail"]) == (422, "Choose a file.")


@pytest.fixture
def small(migrated: Settings) -> Iterator[TestClient]:
    """A server with room for 3,000 bytes, in files of up to 2,000."""
    limits = {"attachment_bytes": 2000, "attachments_bytes": 3000}
    app = create_app(migrated.model_copy(update=limits), FakeBackend())
    with TestClient(app, base_url="http://localhost") as client:
        yield client


def test_a_file_and_all_files_have_limits(small: TestClient) -> None:
    idea = add(small, "Soup")["id"]

    large = send(small, idea, "a.txt", b"x" * 2001)
    first = send(small, idea, "a.txt", b"x" * 2000)
    other = send(small, add(small, "Chalk")["id"], "b.txt", b"x" * 1001)
    last = send(small, idea, "c.txt", b"x" * 1000)

    assert (large.status_code, first.status_code) == (422, 201)
    assert "the limit is 2 kB" in large.json()["detail"]
    assert other.status_code == 409
    assert "no room" in other.json()["detail"]
    assert last.status_code == 201


def test_a_body_far_over_the_limit_is_not_even_read(small: TestClient) -> None:
    idea = add(small, "Soup")["id"]

    assert send(small, idea, "a.txt", b"x" * 2_000_000).status_code == 413


def test_files_can_be_turned_off(migrated: Settings) -> None:
    app = create_app(migrated.model_copy(update={"attachment_bytes": 0}), FakeBackend())
    with TestClient(app, base_url="http://localhost") as client:
        idea = add(client, "Soup")["id"]

        assert send(client, idea, "a.txt", b"x").status_code == 409
        page = client.get(f"/ideas/{idea}", headers=BROWSER).text
        assert 'type="file"' not in page


def test_an_idea_has_a_limited_number_of_files(client: TestClient, idea: str) -> None:
    for number in range(MOST_OF_AN_IDEA):
        attach(client, idea, f"{number}.txt", b"x")

    assert send(client, idea, "more.txt", b"x").status_code == 409
    first = client.get(f"{IDEAS}/{idea}/attachments").json()[0]
    client.delete(f"{FILES}/{first['id']}")
    assert send(client, idea, "more.txt", b"x").status_code == 201


def test_a_deleted_file_can_be_restored_for_a_day(client: TestClient, idea: str) -> None:
    file = attach(client, idea)

    assert client.delete(f"{FILES}/{file['id']}").status_code == 204
    assert client.get(file["url"]).status_code == 404
    assert client.get(f"{IDEAS}/{idea}/attachments").json() == []
    assert client.post(f"{FILES}/{file['id']}/restore").json() == file
    client.delete(f"{FILES}/{file['id']}")

    assert store_of(client).attachments.purge_before(now()) == 1
    assert client.post(f"{FILES}/{file['id']}/restore").status_code == 404
    assert stored(client) == (0, 0)


def test_the_files_of_an_idea_go_with_it(client: TestClient, idea: str) -> None:
    file = attach(client, idea)
    client.delete(f"{IDEAS}/{idea}")
    assert client.get(file["url"]).status_code == 404
    assert stored(client) == (1, 1)

    client.delete(f"{IDEAS}/{idea}?for_good=true")

    assert stored(client) == (0, 0)


def test_what_an_image_shows_can_be_said(client: TestClient, idea: str) -> None:
    file = attach(client, idea)

    said = client.patch(f"{FILES}/{file['id']}", json={"alt": "Hammers [and] saws"})

    assert said.json()["markdown"] == f"![Hammers  and  saws](attachment:{file['id']})"
    client.patch(f"{IDEAS}/{idea}", json={"body": f"![](attachment:{file['id']})"})
    page = client.get(f"/ideas/{idea}", headers=BROWSER).text
    assert page.count('alt="Hammers [and] saws"') == 2
    assert client.patch(f"{FILES}/{file['id']}", json={"alt": "x" * 301}).status_code == 422


def test_a_key_attaches_a_file_once(client: TestClient, idea: str) -> None:
    headers = {"idempotency-key": "k1"}
    request = client.build_request(
        "POST", f"{IDEAS}/{idea}/attachments", files={"file": ("a.txt", b"x")}, headers=headers
    )
    request.read()

    first, again = client.send(request), client.send(request)

    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert stored(client)[0] == 1


def test_an_export_holds_files_or_says_that_it_does_not(
    client: TestClient, idea: str, elsewhere: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.store.archive_files.CONTENT_BYTES", 200)
    small = attach(client, idea)
    large = attach(client, idea, "large.txt", b"x" * 300)
    archive = client.get("/api/v1/export").json()

    contents = {row["id"]: row["content"] for row in archive["attachments"]}
    assert contents[large["id"]] is None
    app = create_app(elsewhere, FakeBackend())
    with TestClient(app, base_url="http://localhost") as other:
        result = other.post("/api/v1/import", json=archive).json()
        assert result["added"]["attachments"] == 1
        assert result["files_without_content"] == 1
        there = other.get(f"{IDEAS}/{idea}/attachments").json()
        assert there == [small]
        assert other.get(small["url"]).content == client.get(small["url"]).content


@pytest.mark.parametrize("content", ["!", "AAAA", ""])
def test_an_import_does_not_believe_what_a_file_says(
    client: TestClient, idea: str, elsewhere: Settings, content: str
) -> None:
    attach(client, idea)
    archive = client.get("/api/v1/export").json()
    archive["attachments"][0]["content"] = content
    app = create_app(elsewhere, FakeBackend())
    with TestClient(app, base_url="http://localhost") as other:
        refused = other.post("/api/v1/import", json=archive)

        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "/attachments/0/content"
        assert other.get(f"{IDEAS}/{idea}").status_code == 404


def test_a_link_to_a_board_shows_its_files_until_it_is_withdrawn(
    client: TestClient, idea: str
) -> None:
    board = client.get(f"{IDEAS}/{idea}").json()["board_id"]
    file = attach(client, idea)
    client.patch(f"{IDEAS}/{idea}", json={"body": file["markdown"]})
    elsewhere = add(
        client, "x", board_id=client.post("/api/v1/boards", json={"name": "B"}).json()["id"]
    )
    other = attach(client, elsewhere["id"])
    link = client.post(f"/api/v1/boards/{board}/links", json={"days": 7}).json()
    place = str(link["path"])

    page = client.get(f"{place}/ideas/{idea}", headers=BROWSER).text
    shown = client.get(f"{place}/attachments/{file['id']}/content")

    assert f'src="{place}/attachments/{file["id"]}/content"' in page
    assert "delete" not in page
    assert shown.content == png()
    assert shown.headers["cache-control"] == "private, no-cache"
    assert shown.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert client.get(f"{place}/attachments/{other['id']}/content").status_code == 404
    client.patch(f"{IDEAS}/{idea}", json={"status": "archived"})
    assert client.get(f"{place}/attachments/{file['id']}/content").status_code == 404
    client.delete(f"/api/v1/boards/{board}/links/{link['id']}")
    assert client.get(f"{place}/attachments/{file['id']}/content").status_code == 404


def page_form(client: TestClient, path: str, **more: Any) -> Any:
    headers = BROWSER | {"referer": f"http://localhost{path.rpartition('/')[0]}"}
    return client.post(path, headers=headers, follow_redirects=False, **more)


def test_pages_attach_describe_and_delete_without_scripts(client: TestClient, idea: str) -> None:
    sent = page_form(client, f"/ideas/{idea}/attachments", files={"file": ("w.png", png())})
    assert sent.headers["location"] == f"/ideas/{idea}#files"
    (file,) = client.get(f"{IDEAS}/{idea}/attachments").json()
    page_form(client, f"/attachments/{file['id']}", data={"alt": "Saws"})
    page_form(client, f"/attachments/{file['id']}/delete")
    page = client.get(f"/ideas/{idea}", headers=BROWSER).text
    assert f"/attachments/{file['id']}/restore" in page
    page_form(client, f"/attachments/{file['id']}/restore")

    (back,) = client.get(f"{IDEAS}/{idea}/attachments").json()
    assert back == file | {"alt": "Saws", "markdown": f"![Saws](attachment:{file['id']})"}


def test_a_refused_file_is_told_beside_its_field(client: TestClient, idea: str) -> None:
    refused = page_form(client, f"/ideas/{idea}/attachments", files={"file": ("x.png", b"\0")})

    assert refused.status_code == 422
    assert 'id="file-problem"' in refused.text
    assert "cannot be attached" in refused.text


def test_a_tick_is_a_new_version_and_keeps_what_others_wrote(client: TestClient) -> None:
    idea = add(client, "Plan", body="- [ ] drills\n- [ ] ladders")["id"]
    page = client.get(f"/ideas/{idea}", headers=BROWSER).text
    value = page.partition('aria-label="ladders"')[0].rpartition('value="')[2].partition('"')[0]
    client.patch(f"{IDEAS}/{idea}", json={"body": "By Ada\n\n- [x] drills\n- [ ] ladders"})

    done = page_form(client, f"/ideas/{idea}/ticks", data={"tick": value})

    assert done.status_code == 303
    found = client.get(f"{IDEAS}/{idea}").json()
    assert found["body"] == "By Ada\n\n- [x] drills\n- [x] ladders"
    assert found["version"] == 3
    client.patch(f"{IDEAS}/{idea}", json={"body": "Nothing to tick"})
    late = page_form(client, f"/ideas/{idea}/ticks", data={"tick": value})
    assert late.status_code == 412
    assert "Somebody changed this idea" in late.text
    assert client.get(f"{IDEAS}/{idea}").json()["body"] == "Nothing to tick"


def test_a_preview_shows_what_was_typed_and_stores_nothing(client: TestClient, idea: str) -> None:
    typed = {"title": "", "body": "**New** <script>", "tags": "a, b", "revision": "1"}

    page = page_form(client, f"/ideas/{idea}/preview", data=typed)
    part = client.post(
        f"/ideas/{idea}/preview",
        data=typed,
        headers=BROWSER | {"hx-request": "true", "hx-target": "div#preview"},
    )

    assert page.status_code == part.status_code == 200
    assert "<strong>New</strong> &lt;script&gt;" in page.text
    assert "\n**New** &lt;script&gt;</textarea>" in page.text
    assert 'value="a, b"' in page.text
    assert part.text.strip() == "<p><strong>New</strong> &lt;script&gt;</p>"
    assert client.get(f"{IDEAS}/{idea}").json()["version"] == 1


def test_a_preview_leads_nowhere_else(client: TestClient, idea: str) -> None:
    sent = {"title": "x", "to": "https://evil.example/"}

    assert "evil.example" not in page_form(client, f"/ideas/{idea}/preview", data=sent).text


def test_only_editors_change_files_and_everybody_sees_them(client: TestClient, idea: str) -> None:
    store: Store = store_of(client)
    file = store.attachments.add(idea, "w.png", png())
    board = store.ideas.get(idea).board_id
    token = ACTOR.set(Actor(board_roles={board: Role.COMMENTER}))
    try:
        assert store.attachments.content(file.id)[1] == png()
        for act in (
            lambda: store.attachments.add(idea, "x.txt", b"x"),
            lambda: store.attachments.delete(file.id),
            lambda: store.ideas.rewrite(idea, lambda body: body + "x"),
        ):
            with pytest.raises(RoleNeeded):
                act()
        ACTOR.set(Actor(board_roles={"another": Role.EDITOR}))
        with pytest.raises(NotFound):
            store.attachments.content(file.id)
    finally:
        ACTOR.reset(token)
