"""People without accounts: invitations, names, keys, sessions, removal, and a trusted proxy."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import ValidationError
from sqlalchemy import event
from sqlmodel import col, update

from service.app import create_app
from service.schemas.identity import now
from service.settings import Settings
from service.store import Store
from service.store.database import Database
from service.store.tables import ApiKey
from service.store.team_tables import Invitation
from service.web.cookie_rules import SESSION_COOKIE
from tests.support.fake_backend import FakeBackend

HOST = "http://localhost"
PAGE = {"accept": "text/html", "sec-fetch-site": "same-origin"}
API = "/api/v1"
HEADER = "X-Forwarded-User"


@pytest.fixture
def app(migrated: Settings) -> FastAPI:
    return create_app(migrated.model_copy(update={"require_key": True}), FakeBackend())


@pytest.fixture
def owner(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url=HOST, follow_redirects=False) as client:
        client.headers["authorization"] = f"Bearer {store(app).keys.create('owner')}"
        yield client


def store(app: FastAPI) -> Store:
    return cast(Store, app.state.store)


def database(app: FastAPI) -> Database:
    return cast(Database, app.state.database)


def browser(app: FastAPI) -> TestClient:
    return TestClient(app, base_url=HOST, follow_redirects=False, headers=PAGE)


def invite(owner: TestClient, **wanted: Any) -> str:
    """Returns the path of the link."""
    made = owner.post(f"{API}/invitations", json=wanted)
    assert made.status_code == 201, made.text
    url: str = made.json()["url"]
    return url.removeprefix(HOST)


def joined(app: FastAPI, link: str, name: str) -> TestClient:
    client = browser(app)
    answer = client.post(link, data={"name": name})
    assert answer.status_code == 303, answer.text
    return client


def me(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"{API}/me").json()
    return found


def test_a_link_makes_a_person_with_its_role_on_its_board(app: FastAPI, owner: TestClient) -> None:
    board = owner.get(f"{API}/boards").json()[0]["id"]
    link = invite(owner, role="commenter", board_id=board)

    ada = joined(app, link, "  Ada \n Lovelace ")

    assert me(ada)["person"]["name"] == "Ada Lovelace"
    assert me(ada)["role"] is None
    assert me(ada)["boards"] == [{"board_id": board, "role": "commenter"}]
    assert ada.get(f"/boards/{board}").status_code == 200
    assert owner.get(f"{API}/invitations").json()[0]["uses"] == 1


def test_looking_at_a_link_uses_nothing_up_and_shows_what_it_is_for(
    app: FastAPI, owner: TestClient
) -> None:
    board = owner.post(f"{API}/boards", json={"name": "Street party"}).json()["id"]
    link = invite(owner, role="reader", board_id=board)
    preview = browser(app)

    pages = [preview.get(link) for _ in range(3)]

    assert all("Street party" in page.text for page in pages)
    assert pages[0].headers["cache-control"] == "private, no-store"
    assert SESSION_COOKIE not in preview.cookies
    assert owner.get(f"{API}/people").json() == []
    assert owner.get(f"{API}/invitations").json()[0]["uses"] == 0


def test_the_cookie_of_who_joined_is_hidden_from_scripts_and_lasts(
    app: FastAPI, owner: TestClient
) -> None:
    answer = browser(app).post(invite(owner), data={"name": "Ada"})

    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie.replace("samesite", "")
    assert f"max-age={400 * 86400}" in cookie


def test_over_https_the_cookie_is_sent_over_https_only(app: FastAPI, owner: TestClient) -> None:
    link = invite(owner)
    secure = TestClient(app, base_url="https://localhost", follow_redirects=False)

    cookie = secure.post(link, data={"name": "Ada"}).headers["set-cookie"].lower()

    assert "; secure" in cookie


def test_a_withdrawn_an_expired_and_an_unknown_link_each_say_so(
    app: FastAPI, owner: TestClient
) -> None:
    withdrawn, expired = invite(owner, days=1), invite(owner, days=30)
    first = owner.get(f"{API}/invitations").json()[1]["id"]
    assert owner.delete(f"{API}/invitations/{first}").status_code == 204
    with database(app).write() as session:
        session.exec(update(Invitation).values(expires_at=now() - timedelta(seconds=1)))
    client = browser(app)

    said = {}
    for name, link in (("withdrawn", withdrawn), ("expired", expired), ("unknown", "/join/no")):
        page, posted = client.get(link), client.post(link, data={"name": "Ada"})
        assert page.status_code == posted.status_code == (404 if name == "unknown" else 410)
        said[name] = page.text

    assert "was withdrawn" in said["withdrawn"]
    assert "has expired" in said["expired"]
    assert "no such invitation" in said["unknown"]
    assert owner.get(f"{API}/people").json() == []
    assert owner.get(f"{API}/invitations").json() == []


def test_the_link_of_a_deleted_board_leads_nowhere(app: FastAPI, owner: TestClient) -> None:
    board = owner.post(f"{API}/boards", json={"name": "Gone"}).json()["id"]
    link = invite(owner, board_id=board)
    owner.delete(f"{API}/boards/{board}")

    assert browser(app).get(link).status_code == 404


def test_links_are_stored_hashed(owner: TestClient, tmp_path: Any) -> None:
    token = invite(owner).rpartition("/")[2]

    stored = b"".join(path.read_bytes() for path in tmp_path.glob("ideapool.db*"))
    assert token.encode() not in stored
    assert token not in owner.get(f"{API}/invitations").text


def test_who_is_known_gets_the_role_and_stays_the_same_person(
    app: FastAPI, owner: TestClient
) -> None:
    board = owner.post(f"{API}/boards", json={"name": "Street party"}).json()["id"]
    ada = joined(app, invite(owner, role="editor", board_id=board), "Ada")
    second = invite(owner, role="reader")
    before = me(ada)["person"]

    assert 'value="Ada"' in ada.get(second).text
    ada.post(second, data={"name": "Ada"})

    assert me(ada)["person"] == before
    assert (me(ada)["role"], me(ada)["boards"][0]["role"]) == ("reader", "editor")
    # A lower role never replaces a higher one.
    ada.post(invite(owner, role="reader", board_id=board), data={"name": "Ada"})
    assert me(ada)["boards"][0]["role"] == "editor"
    assert len(owner.get(f"{API}/people").json()) == 1


def test_two_people_of_one_name_are_told_apart(app: FastAPI, owner: TestClient) -> None:
    link = invite(owner)

    names = [me(joined(app, link, name))["person"]["name"] for name in ("Ada", "ada", "Ada")]

    assert names == ["Ada", "ada (2)", "Ada (3)"]


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "\u200b"])
def test_a_name_needs_one_to_sixty_characters(app: FastAPI, owner: TestClient, name: str) -> None:
    link = invite(owner)

    assert browser(app).post(link, data={"name": name}).status_code == 422
    assert owner.get(f"{API}/people").json() == []


def test_a_removed_person_is_out_at_once_everywhere(app: FastAPI, owner: TestClient) -> None:
    ada = joined(app, invite(owner), "Ada")
    key = ada.post(f"{API}/me/keys", json={"name": "script"}).json()["key"]
    program = TestClient(app, base_url=HOST, headers={"authorization": f"Bearer {key}"})
    idea = program.post(f"{API}/ideas", json={"title": "Hers"}).json()["id"]
    person = me(ada)["person"]["id"]

    removed = owner.delete(f"{API}/people/{person}")

    assert removed.json()["removed_at"] is not None
    assert ada.get("/").headers["location"] == "/login?ended=removed"
    assert "removed you" in ada.get("/login?ended=removed").text
    answer = program.get(f"{API}/ideas")
    assert answer.status_code == 401
    assert answer.json()["type"].endswith("person-removed")
    assert "removed" in ada.post("/login", data={"key": key}).text
    assert owner.get(f"{API}/ideas/{idea}").json()["author"]["name"] == "Ada"
    assert "(removed)" in owner.get("/people", headers=PAGE).text


def test_who_comes_back_has_the_roles_but_not_the_old_keys(app: FastAPI, owner: TestClient) -> None:
    ada = joined(app, invite(owner, role="commenter"), "Ada")
    person = me(ada)["person"]["id"]
    owner.delete(f"{API}/people/{person}")

    restored = owner.post(f"{API}/people/{person}/restore").json()

    assert (restored["role"], restored["sessions"], restored["removed_at"]) == (
        "commenter",
        0,
        None,
    )
    assert ada.get("/").headers["location"] == "/login?ended=session"


def test_a_changed_role_counts_at_once(app: FastAPI, owner: TestClient) -> None:
    ada = joined(app, invite(owner), "Ada")
    person = me(ada)["person"]["id"]
    assert ada.post(f"{API}/ideas", json={"title": "x"}).status_code == 201

    owner.patch(f"{API}/people/{person}", json={"role": "reader"})

    assert ada.post(f"{API}/ideas", json={"title": "x"}).status_code == 403
    assert ada.get(f"{API}/ideas").status_code == 200
    owner.patch(f"{API}/people/{person}", json={"role": None})
    assert ada.get(f"{API}/ideas").status_code == 403
    assert ada.get("/").headers["location"] == "/me"
    assert "Ask an owner for a role" in ada.get("/me").text


def test_an_owner_cannot_lock_themselves_out(app: FastAPI, owner: TestClient) -> None:
    ada = joined(app, invite(owner), "Ada")
    person = me(ada)["person"]["id"]
    owner.patch(f"{API}/people/{person}", json={"role": "owner"})

    assert ada.delete(f"{API}/people/{person}").status_code == 409
    assert ada.patch(f"{API}/people/{person}", json={"role": "reader"}).status_code == 409
    assert me(ada)["role"] == "owner"


def test_nobody_owns_a_single_board(app: FastAPI, owner: TestClient) -> None:
    board = owner.get(f"{API}/boards").json()[0]["id"]
    person = me(joined(app, invite(owner), "Ada"))["person"]["id"]

    refused = owner.patch(f"{API}/people/{person}", json={"boards": {board: "owner"}})

    assert refused.status_code == 422
    assert owner.post(f"{API}/invitations", json={"role": "owner"}).status_code == 422


def test_a_key_is_shown_once_acts_as_its_person_and_can_be_revoked(
    app: FastAPI, owner: TestClient
) -> None:
    ada = joined(app, invite(owner, role="reader"), "Ada")
    made = ada.post("/me/keys", data={"key_name": "laptop"})
    first, second = ada.get("/me").text, ada.get("/me").text
    key = first.partition('value="ip_')[2].partition('"')[0]
    program = TestClient(app, base_url=HOST, headers={"authorization": f"Bearer ip_{key}"})

    assert made.status_code == 303
    assert key
    assert key not in second
    assert program.get(f"{API}/ideas").status_code == 200
    assert program.post(f"{API}/ideas", json={"title": "x"}).status_code == 403
    key_id = ada.get(f"{API}/me/keys").json()[0]["id"]
    assert owner.delete(f"{API}/me/keys/{key_id}").status_code == 404
    assert ada.post(f"/me/keys/{key_id}/revoke").status_code == 303
    assert program.get(f"{API}/ideas").status_code == 401
    assert me(ada)["person"]["name"] == "Ada"


def test_a_persons_key_signs_that_person_in_until_it_is_revoked(
    app: FastAPI, owner: TestClient
) -> None:
    ada = joined(app, invite(owner), "Ada")
    made = ada.post(f"{API}/me/keys", json={"name": "phone"}).json()
    phone = browser(app)

    assert phone.post("/login", data={"key": made["key"]}).status_code == 303
    assert me(phone)["person"] == me(ada)["person"]
    ada.delete(f"{API}/me/keys/{made['id']}")

    assert phone.get(f"{API}/me").status_code == 401
    assert ada.get(f"{API}/me").status_code == 200


def test_signing_in_again_ends_the_session_that_the_browser_had(
    app: FastAPI, owner: TestClient
) -> None:
    ada = joined(app, invite(owner), "Ada")
    first = ada.cookies[SESSION_COOKIE]
    made = ada.post(f"{API}/me/keys", json={"name": "phone"}).json()
    assert ada.post("/login", data={"key": "wrong"}).status_code == 401
    assert me(ada)["person"]["name"] == "Ada"

    ada.post("/login", data={"key": made["key"]})
    second = ada.cookies[SESSION_COOKIE]
    assert len(ada.get(f"{API}/me/sessions").json()) == 1
    ada.post(invite(owner), data={"name": "Ada"})

    keys = app.state.store.keys
    assert [keys.find(token) for token in (first, second)] == [None, None]
    assert len(ada.get(f"{API}/me/sessions").json()) == 1
    assert keys.find(made["key"]) is not None


def test_signing_out_everywhere_ends_every_session_but_no_key(
    app: FastAPI, owner: TestClient
) -> None:
    ada = joined(app, invite(owner), "Ada")
    key = ada.post(f"{API}/me/keys", json={"name": "phone"}).json()["key"]
    phone = browser(app)
    phone.post("/login", data={"key": key})
    assert len(ada.get(f"{API}/me/sessions").json()) == 2

    assert ada.post("/me/sign-out").headers["location"] == "/login"

    program = TestClient(app, base_url=HOST, headers={"authorization": f"Bearer {key}"})
    assert phone.get(f"{API}/me").status_code == 401
    assert program.get(f"{API}/me").status_code == 200


def test_owners_end_sessions_and_keys_of_others(app: FastAPI, owner: TestClient) -> None:
    ada = joined(app, invite(owner), "Ada")
    key = ada.post(f"{API}/me/keys", json={"name": "phone"}).json()["key"]
    program = TestClient(app, base_url=HOST, headers={"authorization": f"Bearer {key}"})
    person = me(ada)["person"]["id"]

    assert owner.delete(f"{API}/people/{person}/sessions").json()["sessions"] == 0
    assert ada.get(f"{API}/me").status_code == 401
    assert program.get(f"{API}/me").status_code == 200
    assert owner.delete(f"{API}/people/{person}/keys").json()["keys"] == 0
    assert program.get(f"{API}/me").status_code == 401


def test_a_link_is_shown_once_on_the_page_of_people(app: FastAPI, owner: TestClient) -> None:
    made = owner.post("/people/invitations", data={"role": "reader", "days": "7"}, headers=PAGE)
    first, second = (owner.get("/people", headers=PAGE).text for _ in range(2))
    link = first.partition(f'value="{HOST}/join/')[2].partition('"')[0]

    assert made.headers["location"] == "/people"
    assert link
    assert link not in second
    assert browser(app).get(f"/join/{link}").status_code == 200


def test_one_person_on_loopback_sees_nothing_of_it(client: TestClient) -> None:
    board = client.get("/", headers=PAGE).text

    for address in ("/people", "/me", "/logout"):
        assert f'"{address}"' not in board
    assert client.get(f"{API}/me").json() == {
        "person": None,
        "role": "owner",
        "boards": [],
        "scope": "admin",
    }


def test_on_loopback_people_show_once_somebody_is_invited(client: TestClient) -> None:
    client.post(f"{API}/invitations", json={})

    page = client.get("/", headers=PAGE).text

    assert 'href="/people"' in page
    assert 'href="/me"' in page


def test_who_sends_a_request_is_one_query(app: FastAPI, owner: TestClient) -> None:
    token = joined(app, invite(owner), "Ada").cookies[SESSION_COOKIE]
    store(app).people.by_token(token)
    asked: list[str] = []
    engine = database(app)._reader
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))

    store(app).people.by_token(token)

    assert len([one for one in asked if one != "BEGIN"]) == 1


def test_the_last_use_is_noted_every_few_minutes_only(app: FastAPI, owner: TestClient) -> None:
    ada = joined(app, invite(owner), "Ada")
    ada.get(f"{API}/me")
    first = owner.get(f"{API}/people").json()[0]["seen_at"]
    ada.get(f"{API}/me")
    assert owner.get(f"{API}/people").json()[0]["seen_at"] == first
    with database(app).write() as session:
        long_ago = now() - timedelta(hours=1)
        session.exec(update(ApiKey).values(used_at=long_ago))
        session.exec(update(ApiKey).where(col(ApiKey.kind) == "key").values(used_at=long_ago))

    ada.get(f"{API}/me")

    assert ada.get(f"{API}/me/sessions").json()[0]["used_at"] > first


@pytest.fixture
def proxied(migrated: Settings) -> FastAPI:
    """Trusts the address of tests' clients, and a network."""
    settings = Settings(
        **migrated.model_dump(include={"data_dir", "bundled_models_dir", "model"}),
        idea_bank=False,
        user_header=HEADER,
        trusted_proxies="10.1.2.3,192.168.7.0/24,2001:db8::/32",
        user_role="commenter",
    )
    return create_app(settings, FakeBackend())


def behind(app: FastAPI, address: str) -> TestClient:
    return TestClient(app, base_url=HOST, client=(address, 40000), follow_redirects=False)


@pytest.mark.parametrize(
    "address", ["10.1.2.3", "192.168.7.9", "::ffff:192.168.7.9", "2001:db8::5"]
)
def test_the_header_of_a_trusted_proxy_names_the_person(proxied: FastAPI, address: str) -> None:
    with behind(proxied, address) as client:
        first = client.get(f"{API}/me", headers={HEADER: "ada@example.org"}).json()
        second = client.get(f"{API}/me", headers={HEADER: "ada@example.org"}).json()
        other = client.get(f"{API}/me", headers={HEADER.encode(): "Åsa".encode()}).json()

    assert first == second
    assert first["person"]["name"] == "ada@example.org"
    assert first["role"] == "commenter"
    assert other["person"]["name"] == "Åsa"


@pytest.mark.parametrize("address", ["10.1.2.4", "192.168.8.1", "127.0.0.1", "testclient"])
def test_the_header_of_anybody_else_is_refused(proxied: FastAPI, address: str) -> None:
    with behind(proxied, address) as client:
        key = store(proxied).keys.create("owner")
        answers = [
            client.get(f"{API}/me", headers={HEADER: "ada"} | more)
            for more in ({}, {"authorization": f"Bearer {key}"}, {"x-forwarded-for": "10.1.2.3"})
        ]
        without = client.get(f"{API}/me")
        with_key = client.get(f"{API}/me", headers={"authorization": f"Bearer {key}"})

    assert [one.status_code for one in answers] == [403, 403, 403]
    assert "IDEAPOOL_TRUSTED_PROXIES" in answers[0].json()["detail"]
    assert (without.status_code, with_key.status_code) == (401, 200)


def test_a_proxy_that_names_two_people_names_nobody(proxied: FastAPI) -> None:
    with behind(proxied, "10.1.2.3") as client:
        answer = client.get(f"{API}/me", headers=[(HEADER, "ada"), (HEADER, "bob")])
        empty = client.get(f"{API}/me", headers={HEADER: ""})

    assert (answer.status_code, empty.status_code) == (403, 401)


def test_a_person_whom_the_proxy_names_can_be_removed_for_good(proxied: FastAPI) -> None:
    with behind(proxied, "10.1.2.3") as client:
        ada = {HEADER: "ada"}
        person = client.get(f"{API}/me", headers=ada).json()["person"]["id"]
        store(proxied).people.remove(person)

        assert client.get(f"{API}/me", headers=ada).status_code == 401
        page = client.get("/", headers=ada | PAGE)
        assert page.headers["location"] == "/login?ended=removed"


def test_two_first_requests_of_a_person_make_one_person(proxied: FastAPI) -> None:
    with behind(proxied, "10.1.2.3"):
        people = store(proxied).people
        one, other = (people._first_visit("ada", "editor") for _ in range(2))

    assert one == other


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"user_header": HEADER}, "IDEAPOOL_TRUSTED_PROXIES"),
        ({"user_header": HEADER, "trusted_proxies": "10.0.0.1", "require_key": False}, "exclude"),
        ({"trusted_proxies": "proxy.example"}, "no address or network"),
        ({"trusted_proxies": "10.0.0.1/8"}, "no address or network"),
    ],
)
def test_settings_that_would_trust_anybody_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Settings(**wrong)
