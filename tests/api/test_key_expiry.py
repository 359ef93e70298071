"""Keys that expire: how long they work, and what ends with them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlmodel import col, update

from service.app import create_app
from service.cli.main import main
from service.schemas.identity import now
from service.schemas.people import KEYS_CEILING, InvitationCreate, key_expiry
from service.settings import Settings
from service.store.tables import ApiKey
from tests.support.fake_backend import FakeBackend

HOST, API = "http://localhost", "/api/v1"
PAGE = {"accept": "text/html", "sec-fetch-site": "same-origin"}
A_DAY = timedelta(days=1)


@pytest.fixture
def app(migrated: Settings) -> Iterator[FastAPI]:
    app = create_app(migrated.model_copy(update={"require_key": True}), FakeBackend())
    with TestClient(app):
        yield app


@pytest.fixture
def ada(app: FastAPI) -> str:
    """The id of an editor."""
    invitations = app.state.store.invitations
    link = invitations.create(InvitationCreate(role="editor"))[1]
    person_id: str = invitations.join(link, "Ada")[0]
    return person_id


def program(app: FastAPI, key: str) -> TestClient:
    return TestClient(app, base_url=HOST, headers={"authorization": f"Bearer {key}"})


def browser(app: FastAPI) -> TestClient:
    return TestClient(app, base_url=HOST, follow_redirects=False, headers=PAGE)


def let_expire(app: FastAPI, *kinds: str) -> None:
    with app.state.database.write() as session:
        living = update(ApiKey).where(col(ApiKey.kind).in_(kinds))
        session.exec(living.values(expires_at=now() - timedelta(seconds=1)))


@pytest.mark.parametrize("text", ["90d", "1d", "3650d"])
def test_days_count_from_now(text: str) -> None:
    wanted = now() + timedelta(days=int(text[:-1]))

    assert abs(key_expiry(text) - wanted) < timedelta(minutes=5)


def test_a_day_is_the_last_one_on_which_the_key_works() -> None:
    tomorrow = (now() + A_DAY).date()

    expiry = key_expiry(tomorrow.isoformat())

    assert expiry == datetime(tomorrow.year, tomorrow.month, tomorrow.day, 23, 59, 59, tzinfo=UTC)


WRONG = [
    "0d",
    "-1d",
    "3651d",
    "90",
    "90 d",
    "soon",
    "2020-01-01",
    "2030-02-30",
    "20300101",
    "9999-12-31",
]


@pytest.mark.parametrize("text", WRONG)
def test_no_other_time_is_taken(app: FastAPI, ada: str, text: str) -> None:
    adas = program(app, app.state.store.keys.create("ada", person_id=ada))

    with pytest.raises(ValueError, match="must be days"):
        key_expiry(text)
    assert adas.post(f"{API}/me/keys", json={"name": "x", "expires_in": text}).status_code == 422


def test_keys_are_made_and_listed_with_the_time_until_which_they_work(
    app: FastAPI, ada: str
) -> None:
    adas = program(app, app.state.store.keys.create("ada", person_id=ada))
    wanted = now() + timedelta(days=90)

    over_rest = adas.post(f"{API}/me/keys", json={"name": "one", "expires_in": "90d"}).json()
    form = {"key_name": "two", "expires_in": "90d"}
    by_form = adas.post("/me/keys", data=form, headers=PAGE, follow_redirects=False)
    listed = {one["name"]: one["expires_at"] for one in adas.get(f"{API}/me/keys").json()}

    assert by_form.status_code == 303
    assert listed["ada"] is None
    assert over_rest["expires_at"] == listed["one"]
    for name in ("one", "two"):
        assert abs(datetime.fromisoformat(listed[name]) - wanted) < timedelta(minutes=5)
    page = adas.get("/me", headers=PAGE).text
    assert page.count("works until") == 2
    assert page.count("never expires") == 1


def test_a_key_that_has_expired_is_refused_in_its_own_words(app: FastAPI, ada: str) -> None:
    key = app.state.store.keys.create("ada", person_id=ada, expires_at=now() + A_DAY)
    assert program(app, key).get(f"{API}/me").status_code == 200

    let_expire(app, "key")
    refused = program(app, key).get(f"{API}/me")
    signing_in = browser(app).post("/login", data={"key": key})

    assert refused.status_code == signing_in.status_code == 401
    assert refused.json()["type"] == "/problems/key-expired"
    assert refused.json()["detail"].startswith("This key expired on ")
    assert "This key expired on " in signing_in.text
    assert "set-cookie" not in signing_in.headers


def test_a_session_ends_with_the_key_that_it_was_opened_with(app: FastAPI, ada: str) -> None:
    keys = app.state.store.keys
    expires_at = now() + A_DAY
    here = browser(app)
    key = keys.create("ada", person_id=ada, expires_at=expires_at)

    here.post("/login", data={"key": key})

    assert here.get("/me").status_code == 200
    assert keys.of(ada, "session")[0].expires_at == expires_at
    let_expire(app, "session")
    assert here.get("/me").headers["location"] == "/login?ended=session"


def test_expired_keys_do_not_count_among_those_that_a_person_may_have(
    app: FastAPI, ada: str
) -> None:
    keys = app.state.store.keys
    for number in range(KEYS_CEILING):
        keys.create(str(number), person_id=ada, expires_at=now() + A_DAY)
    let_expire(app, "key")

    keys.create("one more", person_id=ada)

    assert [key.name for key in keys.of(ada)] == ["one more"]


def test_a_server_does_not_start_with_an_expired_key_alone(app: FastAPI) -> None:
    app.state.store.keys.create("old", expires_at=now() - A_DAY)

    assert not app.state.store.keys.any()


@pytest.fixture
def command(migrated: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDEAPOOL_DATA_DIR", str(migrated.data_dir))


@pytest.mark.usefixtures("command")
def test_the_command_makes_and_lists_keys_that_expire(
    migrated: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    day = (now() + timedelta(days=200)).date().isoformat()
    for more in (["--expires-in", day], ["--expires-in", "30d", "--scope", "read"], []):
        assert main(["keys", "create", "mine", *more]) == 0
    app: Any = create_app(migrated, FakeBackend())
    app.state.store.keys.create("old", expires_at=now() - A_DAY)
    app.state.database.close()
    capsys.readouterr()

    main(["keys", "list"])

    dated, in_days, forever, old = capsys.readouterr().out.splitlines()
    assert f"expires {day}" in dated
    assert f"expires {now() + timedelta(days=30):%Y-%m-%d}" in in_days
    assert "read" in in_days
    assert "never expires" in forever
    assert "expired " in old


@pytest.mark.usefixtures("command")
def test_the_command_says_which_times_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "create", "mine", "--expires-in", "soon"]) == 2

    assert "--expires-in must be days, such as 90d" in capsys.readouterr().err
