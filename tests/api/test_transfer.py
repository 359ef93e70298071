"""Export and import over REST, on real databases."""

import copy
import csv
import io
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import SQLModel, select

from service.app import create_app
from service.prompts.answers import brainstorm_answer
from service.schemas.archive import Archive
from service.schemas.comments import CommentCreate, CommentUpdate
from service.schemas.ideas import IdeaUpdate
from service.schemas.ranking import ComparisonCreate
from service.settings import Settings
from service.store import batches
from service.store.batches import Stopped
from service.store.copying import copy_database
from service.store.database import Database
from service.store.team_tables import Membership
from tests.support.fake_backend import IDEAS as INVENTED
from tests.support.fake_backend import FakeBackend
from tests.support.people import acting_as, add_person, store_of
from tests.support.watched_import import Watched

pytestmark = pytest.mark.both_databases

EXPORT, IMPORT = "/api/v1/export", "/api/v1/import"
BOARDS, IDEAS = "/api/v1/boards", "/api/v1/ideas"
SECTIONS = (
    *("people", "boards", "ideas", "versions", "runs"),
    *("suggestions", "evaluations", "comparisons", "rubrics"),
    *("likes", "comments", "attachments"),
)
Json = dict[str, Any]


@pytest.fixture
def other(elsewhere: Settings) -> Iterator[TestClient]:
    """Starts a second server that has only its first, empty board."""
    with TestClient(create_app(elsewhere, FakeBackend()), base_url="http://localhost") as client:
        yield client


def post(client: TestClient, path: str, **body: Any) -> Json:
    response = client.post(path, json=body)
    assert response.is_success, response.text
    posted: Json = response.json()
    return posted


def exported(client: TestClient, **params: str) -> Json:
    response = client.get(EXPORT, params=params)
    assert response.status_code == 200, response.text
    archive: Json = response.json()
    del archive["exported_at"]
    return archive


def archive_of(client: TestClient) -> Json:
    archive: Json = client.get(EXPORT).json()
    return archive


def fill(client: TestClient) -> str:
    """Creates a board with every kind of row and returns its id."""
    board = post(client, BOARDS, name="Street party", goal="A party the whole street enjoys.")["id"]
    idea = post(
        client, IDEAS, board_id=board, title="Tool shelf", body="Drills.", tags=["home", "a, b"]
    )["id"]
    client.patch(f"{IDEAS}/{idea}", json={"body": "Lend drills.", "star": True})
    made = post(client, "/api/v1/brainstorm", idea_id=idea, n=3)["suggestions"]
    post(client, f"/api/v1/suggestions/{made[0]['id']}/keep")
    client.post(f"/api/v1/suggestions/{made[1]['id']}/discard")
    spare = post(client, "/api/v1/brainstorm", board_id=board, topic="a party", n=2)["suggestions"]
    post(client, f"/api/v1/suggestions/{spare[0]['id']}/redraw")
    post(client, f"/api/v1/suggestions/{spare[1]['id']}/avoid")
    kept = client.get(IDEAS, params={"board": board}).json()[0]["id"]
    post(client, "/api/v1/brainstorm", idea_ids=[idea, kept], n=1)
    refined = post(client, "/api/v1/refine", idea_id=idea)
    post(client, f"/api/v1/runs/{refined['run_id']}/accept", edits=[1])
    post(client, "/api/v1/refine", idea_id=idea, selection="drills", start=5)
    post(client, "/api/v1/evaluate", idea_id=idea)
    post(client, "/api/v1/evaluate", title="Not stored", criteria=["novelty"])
    kept = client.get(IDEAS, params={"board": board}).json()[0]["id"]
    vote = {"first_id": idea, "first_version": 1, "second_id": kept, "outcome": "first"}
    post(client, f"{BOARDS}/{board}/comparisons", **vote)
    post(client, "/api/v1/rank", board_id=board)
    criteria = [{"name": "cost", "description": "how cheap it is", "weight": 2.5}, {"name": "fun"}]
    rubric = post(client, f"{BOARDS}/{board}/rubrics", name="Ours", criteria=criteria)["id"]
    post(client, f"{BOARDS}/{board}/evaluate", rubric_id=rubric)
    gone = post(client, f"{BOARDS}/{board}/rubrics", name="Gone", criteria=criteria)["id"]
    post(client, "/api/v1/evaluate", idea_id=idea, rubric_id=gone)
    client.delete(f"{BOARDS}/{board}/rubrics/{gone}")
    client.patch(f"{IDEAS}/{kept}", json={"body": "Another text."})
    react(client, idea, str(board))
    return str(board)


def react(client: TestClient, idea: str, board: str) -> None:
    """Likes, comments and a file without a name; the same, a new text and a vote as Ada."""
    client.put(f"{IDEAS}/{idea}/like")
    sent = {"file": ("list.txt", "Drills: två\n".encode())}
    file = client.post(f"{IDEAS}/{idea}/attachments", files=sent).json()
    client.patch(f"/api/v1/attachments/{file['id']}", json={"alt": "What there is"})
    post(client, f"{IDEAS}/{idea}/comments", body="**Who** pays?")
    store = store_of(client)
    with acting_as(add_person(store, "Ada")):
        store.likes.set(idea, liked=True)
        gone = store.comments.add(idea, CommentCreate(body="Gone"))
        store.comments.delete(gone.id)
        said = store.comments.add(idea, CommentCreate(body="The school."))
        store.comments.update(said.id, CommentUpdate(body="The school pays."))
        kept = store.ideas.children(idea)[0].id
        store.ideas.update(kept, IdeaUpdate(title="Ladder shelf"))
        vote = ComparisonCreate(first_id=kept, second_id=idea, outcome="first")
        store.comparisons.vote(board, vote)


@dataclass(frozen=True, slots=True)
class Filled:
    """Creates a database with that board, and exports all of it."""

    database: Path
    board: str
    archive: Json


@pytest.fixture(scope="module")
def filled(new_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Filled:
    settings = Settings(data_dir=tmp_path_factory.mktemp("filled"))
    database = settings.data_dir / "ideapool.db"
    shutil.copy(new_database, database)
    app = create_app(settings, FakeBackend())
    with TestClient(app, base_url="http://localhost") as client:
        board = fill(client)
        archive = archive_of(client)
    return Filled(database, board, archive)


@pytest.fixture
def board(filled: Filled) -> str:
    return filled.board


@pytest.fixture
def archive(filled: Filled) -> Json:
    """Returns the export of that board and the empty first board."""
    assert [found["id"] for found in filled.archive["boards"]][1:] == [filled.board]
    return copy.deepcopy(filled.archive)


@pytest.fixture
def holder(settings: Settings, filled: Filled) -> Iterator[TestClient]:
    """Starts a server with the board, in a database of the test's own."""
    if settings.database_url is None:
        shutil.copy(filled.database, settings.data_dir / "ideapool.db")
    else:
        with (
            closing(Database(f"sqlite:///{filled.database}")) as source,
            closing(Database(settings.database_url)) as target,
        ):
            copy_database(source, target, lambda _name, _rows: None)
    with TestClient(create_app(settings, FakeBackend()), base_url="http://localhost") as client:
        yield client


def test_an_export_imported_on_another_server_is_exported_the_same(
    holder: TestClient, other: TestClient, board: str, archive: Json
) -> None:
    first = other.get(BOARDS).json()[0]["id"]

    answer = post(other, IMPORT, **archive)
    other.delete(f"{BOARDS}/{first}")

    assert all(archive[section] for section in SECTIONS)
    assert answer["added"] == {section: len(archive[section]) for section in SECTIONS}
    assert exported(other) == exported(holder)
    assert exported(other, board=board) == exported(holder, board=board)
    ideas = {"board": board, "sort": "score"}
    assert other.get(IDEAS, params=ideas).json() == holder.get(IDEAS, params=ideas).json()


def test_an_import_keeps_what_is_missing_of_a_brainstorm(
    client: TestClient, other: TestClient, backend: FakeBackend
) -> None:
    backend.replies.extend([brainstorm_answer(*INVENTED[0]), *["nonsense"] * 5])
    run = post(client, "/api/v1/brainstorm", topic="a party", n=2)["run_id"]

    post(other, IMPORT, **archive_of(client))

    result = other.get(f"/api/v1/runs/{run}").json()["result"]
    assert result == {"incomplete": {"reason": "drafts", "repeats": 0, "unusable": 5}}


def test_every_table_is_in_an_export_or_left_out_for_a_reason(client: TestClient) -> None:
    known_by_other_names = {
        "idea_version": "versions",
        "idea_tag": "ideas",
        "idea_like": "likes",
        "person": "people",
        "attachment_part": "attachments",
    }
    left_out = {
        "writing_round": "a meeting of this server; its ideas are exported",
        "activity": "what happened on this server, for a month",
        "api_key": "a secret of this server",
        "change": "how a bulk change is taken back, for a while",
        "invitation": "a secret of this server",
        "keyed_answer": "what this server answered, for a day",
        "membership": "who may do what on this server",
        "shared_link": "a secret of this server",
        "webhook": "whom this server tells, with a secret",
        "webhook_cursor": "what was sent on this server",
        "webhook_delivery": "what was sent on this server, for a month",
        "file_import": "how far an import is, for a day",
        "pending_upload": "a file that waits for an import",
        "presence": "who watches a board now",
        "replica": "which servers run now",
        "run_events": "what servers tell each other of a run, until it is over",
        "topic_vector": "made of the topics again",
    }

    tables = SQLModel.metadata.tables.keys() - left_out.keys()

    sections = archive_of(client).keys()
    assert {known_by_other_names.get(name, f"{name}s") for name in tables} <= sections


def test_an_imported_board_can_be_worked_on(other: TestClient, board: str, archive: Json) -> None:
    post(other, IMPORT, **archive)
    idea = archive["ideas"][0]["id"]

    changed = other.patch(f"{IDEAS}/{idea}", json={"body": "Lend ladders."})
    undone = other.post(f"{IDEAS}/{idea}/versions/1/restore")

    assert (changed.status_code, undone.status_code) == (200, 200)
    assert undone.json()["body"] == "Drills."
    for page in (
        f"/boards/{board}",
        f"/ideas/{idea}",
        *(f"/runs/{r['id']}" for r in archive["runs"]),
    ):
        assert other.get(page, headers={"accept": "text/html"}).status_code == 200


def test_importing_twice_adds_nothing(other: TestClient, archive: Json) -> None:
    post(other, IMPORT, **archive)
    before = exported(other)

    again = post(other, IMPORT, **archive)

    assert set(again["added"].values()) == {0}
    assert again["already_there"] == {section: len(archive[section]) for section in SECTIONS}
    assert exported(other) == before


def test_an_import_that_is_stopped_again_and_again_loses_nothing(
    holder: TestClient, other: TestClient, archive: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("BATCH_S", 0), ("ROWS", 1), ("FIRST_STEPS", 1)):
        monkeypatch.setattr(batches, name, value)
    rows = Archive.model_validate_json(json.dumps(archive))
    first = other.get(BOARDS).json()[0]["id"]
    stops = 0
    while True:
        try:
            store_of(other).archive.add(rows, watch=Watched(stops + 1))
            break
        except Stopped:
            stops += 1
    other.delete(f"{BOARDS}/{first}")

    assert stops > 5
    sections, wanted = exported(other), exported(holder)
    for idea in (*sections["ideas"], *wanted["ideas"]):
        # Of a part of the ideas nobody knows between which others they were.
        del idea["place"]
    for versions in (sections["versions"], wanted["versions"]):
        versions.sort(key=lambda row: (row["idea_id"], row["number"]))
    assert sections == wanted


def test_existing_rows_are_left_unchanged(holder: TestClient, archive: Json) -> None:
    idea = archive["ideas"][0]["id"]
    holder.patch(f"{IDEAS}/{idea}", json={"title": "Newer"})

    post(holder, IMPORT, **archive)

    assert holder.get(f"{IDEAS}/{idea}").json()["title"] == "Newer"
    assert holder.patch(f"{IDEAS}/{idea}", json={"title": "Newest"}).status_code == 200


def test_an_imported_ranking_equals_the_exported_one(
    holder: TestClient, other: TestClient, board: str, archive: Json
) -> None:
    post(other, IMPORT, **archive)

    for by, number in (("people", 2), ("model", 1)):
        path = f"{BOARDS}/{board}/ranking?by={by}"
        assert other.get(path).json() == holder.get(path).json()
        assert other.get(path).json()["comparisons"] == number


def test_a_version_1_file_without_comparisons_can_be_imported(
    other: TestClient, archive: Json
) -> None:
    del archive["comparisons"], archive["rubrics"]
    for row in archive["evaluations"]:
        del row["rubric_id"]

    assert other.post(IMPORT, json=archive).status_code == 422
    assert other.post(IMPORT, json=archive | {"version": 2}).status_code == 422
    assert post(other, IMPORT, **archive | {"version": 1})["added"]["ideas"]


def test_a_version_3_file_without_people_can_be_imported(other: TestClient, archive: Json) -> None:
    del archive["people"], archive["likes"], archive["comments"]
    for section in ("ideas", "versions", "runs", "comparisons"):
        for row in archive[section]:
            del row["person_id"]

    assert other.post(IMPORT, json=archive).status_code == 422
    assert post(other, IMPORT, **archive | {"version": 3})["added"]["ideas"]
    found = other.get(f"{IDEAS}/{archive['ideas'][0]['id']}").json()
    assert (found["author"], found["likes"], found["comments"]) == (None, 0, 0)


def test_a_person_who_is_known_keeps_the_name_they_have_here(
    other: TestClient, archive: Json
) -> None:
    post(other, IMPORT, **archive)
    archive["people"][0]["name"] = "Somebody else"

    again = post(other, IMPORT, **archive)

    assert again["already_there"]["people"] == 1
    assert exported(other)["people"][0]["name"] == "Ada"


def test_an_imported_person_has_no_rights(other: TestClient, archive: Json) -> None:
    post(other, IMPORT, **archive)

    with store_of(other).people._database.read() as session:
        assert session.exec(select(Membership)).all() == []


def test_the_authors_come_with_a_file(other: TestClient, archive: Json) -> None:
    post(other, IMPORT, **archive)
    idea = archive["likes"][0]["idea_id"]
    written = next(one["idea_id"] for one in archive["versions"] if one["person_id"])

    versions = other.get(f"{IDEAS}/{written}/versions").json()
    comments = other.get(f"{IDEAS}/{idea}/comments").json()

    assert [one["author"]["name"] for one in versions if one["author"]] == ["Ada"]
    assert [one["author"] and one["author"]["name"] for one in comments] == [None, "Ada"]
    assert [one["edited_at"] is None for one in comments] == [True, False]
    assert other.get(f"{IDEAS}/{idea}").json()["likes"] == 2


def test_evaluations_of_a_version_2_file_get_no_spread_and_count_as_uncalibrated(
    other: TestClient, archive: Json
) -> None:
    del archive["rubrics"]
    for row in archive["evaluations"]:
        for name in ("rubric_id", "criteria", "spread", "uncalibrated"):
            del row[name]
    for run in archive["runs"]:
        for name in ("rubric_id", "criteria", "spread"):
            (run["result"] or {}).pop(name, None)
    post(other, IMPORT, **archive | {"version": 2})
    idea = archive["evaluations"][0]["idea_id"]

    evaluation = other.get(f"{IDEAS}/{idea}/evaluations").json()[-1]

    assert set(evaluation["spread"].values()) == {None}
    assert evaluation["uncalibrated"] == list(evaluation["scores"])
    assert [one["weight"] for one in evaluation["criteria"]] == [1] * 4


def test_a_refinement_without_edits_can_be_imported(other: TestClient, archive: Json) -> None:
    run = next(one for one in archive["runs"] if one["kind"] == "refine")
    told = run["result"].pop("edits")

    imported = other.post(IMPORT, json=archive)
    edits = other.get(f"/api/v1/runs/{run['id']}/edits").json()["edits"]

    assert imported.status_code == 200
    # The title was accepted, so that only the text still differs.
    assert [one["added"] for one in edits] == [one["added"] for one in told[1:]]


def test_an_idea_compared_with_itself_is_refused(other: TestClient, archive: Json) -> None:
    archive["comparisons"][0]["second_id"] = archive["comparisons"][0]["first_id"]

    response = other.post(IMPORT, json=archive)

    assert response.json()["errors"][0]["pointer"] == "/comparisons/0/second_id"


def test_search_finds_imported_ideas_by_text_and_tag(other: TestClient, archive: Json) -> None:
    post(other, IMPORT, **archive)

    for word in ("drills", "home"):
        found = other.get(IDEAS, params={"q": word}).json()
        assert archive["ideas"][0]["id"] in [idea["id"] for idea in found]


def test_a_parent_may_come_after_its_child(other: TestClient, archive: Json) -> None:
    archive["ideas"].reverse()
    child = next(idea for idea in archive["ideas"] if idea["parent_id"])

    post(other, IMPORT, **archive)

    assert other.get(f"{IDEAS}/{child['id']}").json()["parent_id"] == child["parent_id"]


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        ("ideas", "board_id", "nobody"),
        ("ideas", "parent_id", "nobody"),
        ("versions", "idea_id", "nobody"),
        ("versions", "run_id", "nobody"),
        ("runs", "board_id", "nobody"),
        ("runs", "idea_id", "nobody"),
        ("suggestions", "run_id", "nobody"),
        ("suggestions", "similar_to", "nobody"),
        ("evaluations", "idea_id", "nobody"),
        ("evaluations", "rubric_id", "nobody"),
        ("evaluations", "spread", {"cost": -1}),
        ("rubrics", "board_id", "nobody"),
        ("rubrics", "criteria", []),
        ("rubrics", "criteria", [{"name": "cost", "weight": 0}]),
        ("comparisons", "first_id", "nobody"),
        ("comparisons", "run_id", "nobody"),
        ("comparisons", "second_version", 99),
        ("comparisons", "outcome", "both"),
        ("comparisons", "probability", 1.5),
        ("ideas", "person_id", "nobody"),
        ("likes", "idea_id", "nobody"),
        ("comments", "idea_id", "nobody"),
        ("comments", "person_id", "nobody"),
        ("comments", "body", " "),
        ("comments", "body", "x" * 4001),
        ("boards", "id", "../up"),
        ("boards", "colour", "red"),
        ("boards", "name", " "),
        ("boards", "name", "x" * 201),
        ("boards", "created_at", "0001-01-01T00:00:00+14:00"),
        ("boards", "created_at", "2026-01-01T00:00:00"),
        ("ideas", "title", "x" * 201),
        ("ideas", "body", "x" * 8193),
        ("ideas", "score", 11),
        ("versions", "number", 99),
        ("runs", "request", {"topic": 7}),
        ("runs", "result", None),
        ("runs", "result", {"title": "x"}),
        ("runs", "prompts", [["hello"]]),
        ("suggestions", "text", "x" * 8193),
    ],
)
def test_an_invalid_file_is_refused_with_a_pointer_and_writes_nothing(
    other: TestClient, archive: Json, section: str, field: str, value: Any
) -> None:
    place = len(archive[section]) - 1
    archive[section][place][field] = value
    before = exported(other)

    response = other.post(IMPORT, json=archive)

    assert response.status_code == 422
    pointers = [error["pointer"].split("/")[:4] for error in response.json()["errors"]]
    assert ["", section, str(place), field] in pointers
    assert exported(other) == before


@pytest.mark.parametrize("section", SECTIONS)
def test_a_repeated_row_is_refused(other: TestClient, archive: Json, section: str) -> None:
    archive[section].append(archive[section][0])

    response = other.post(IMPORT, json=archive)

    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"].startswith(f"/{section}/")


def test_a_file_full_of_errors_is_refused_with_its_first_errors(
    holder: TestClient, archive: Json
) -> None:
    response = holder.post(IMPORT, json=archive | {"boards": [0] * 1000, "ideas": [{}] * 1000})

    pointers = [error["pointer"] for error in response.json()["errors"]]
    assert pointers[:2] == ["/boards/0", "/ideas/0/id"]
    assert all(pointer.startswith(("/boards/0", "/ideas/0/")) for pointer in pointers)


def test_an_idea_that_is_its_own_ancestor_is_refused(other: TestClient, archive: Json) -> None:
    child = next(idea for idea in archive["ideas"] if idea["parent_id"])
    parent = next(idea for idea in archive["ideas"] if idea["id"] == child["parent_id"])
    parent["parent_id"] = child["id"]

    assert other.post(IMPORT, json=archive).status_code == 422


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b'{"x": NaN}', b'{"format": "\\ud800"}', b"\xff", b"[" * 10_000]
)
def test_a_body_that_is_not_an_archive_is_refused(client: TestClient, raw: bytes) -> None:
    response = client.post(IMPORT, content=raw, headers={"content-type": "application/json"})

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


def test_a_number_that_is_not_finite_is_refused(holder: TestClient, archive: Json) -> None:
    for number in ("NaN", "1e999"):
        text = re.sub(r'"overall": [\d.]+', f'"overall": {number}', json.dumps(archive))
        assert number in text
        assert holder.post(IMPORT, content=text).status_code == 422


def test_an_unfinished_run_is_imported_as_interrupted(other: TestClient, archive: Json) -> None:
    archive["runs"][0] |= {"status": "running", "result": None, "finished_at": None}

    post(other, IMPORT, **archive)

    run = other.get(f"/api/v1/runs/{archive['runs'][0]['id']}").json()
    assert (run["status"], run["error"]["type"]) == ("interrupted", "interrupted")


def test_deleted_ideas_and_their_rows_are_not_exported(holder: TestClient, archive: Json) -> None:
    kept = next(idea for idea in archive["ideas"] if idea["parent_id"])
    holder.delete(f"{IDEAS}/{kept['parent_id']}")

    after = exported(holder)

    assert kept["parent_id"] not in str(after)
    assert [idea["id"] for idea in after["ideas"]] == [kept["id"]]
    assert after["ideas"][0]["parent_id"] is None
    kinds = [run["kind"] for run in after["runs"]]
    assert kinds == ["brainstorm", "brainstorm", "evaluate", "rank", "evaluate-all"]
    assert {one["idea_id"] for one in after["evaluations"]} == {kept["id"]}
    assert after["comparisons"] == []
    assert after["versions"][0]["run_id"] is None


def test_deleted_boards_are_not_exported(holder: TestClient, board: str) -> None:
    holder.delete(f"{BOARDS}/{board}")

    archive = exported(holder)

    assert [found["name"] for found in archive["boards"]] == ["My ideas"]
    assert archive["ideas"] == archive["versions"] == archive["suggestions"] == []
    assert holder.get(EXPORT, params={"board": board}).status_code == 404


def test_one_board_is_exported_without_the_others(
    holder: TestClient, other: TestClient, board: str
) -> None:
    post(holder, IDEAS, title="On the first board")

    archive = holder.get(EXPORT, params={"board": board}).json()

    assert [found["id"] for found in archive["boards"]] == [board]
    assert {idea["board_id"] for idea in archive["ideas"]} == {board}
    assert post(other, IMPORT, **archive)["added"]["boards"] == 1


@pytest.mark.parametrize("format", ["json", "markdown", "csv"])
def test_an_unknown_board_is_not_found(client: TestClient, format: str) -> None:
    response = client.get(EXPORT, params={"board": "nobody", "format": format})

    assert response.status_code == 404


@pytest.mark.parametrize(
    ("format", "kind", "ending"),
    [
        ("json", "application/json", "json"),
        ("markdown", "text/markdown; charset=utf-8", "md"),
        ("csv", "text/csv; charset=utf-8", "csv"),
    ],
)
def test_an_export_is_downloaded_as_a_named_file(
    client: TestClient, format: str, kind: str, ending: str
) -> None:
    headers = client.get(EXPORT, params={"format": format}).headers

    assert headers["content-type"] == kind
    assert re.fullmatch(
        rf'attachment; filename="ideapool-\d{{4}}-\d\d-\d\d\.{ending}"',
        headers["content-disposition"],
    )


@pytest.mark.parametrize("title", ["=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("http://x")'])
def test_formulas_are_escaped_in_csv(client: TestClient, title: str) -> None:
    post(client, IDEAS, title=title, body="one\ntwo, three", tags=["=x"])

    text = client.get(EXPORT, params={"format": "csv"}).content.decode()

    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert rows[0]["title"] == f"'{title}"
    assert (rows[0]["body"], rows[0]["tags"]) == ("one\ntwo, three", "'=x")
    assert text.startswith("id,board,title,body,status,star,tags,score,created_at,updated_at\r\n")


def test_markdown_of_a_board_is_readable(client: TestClient) -> None:
    board = post(client, BOARDS, name="Street party", goal="A party all enjoy.")["id"]
    more = {"body": "Lend *drills*.", "tags": ["home", "cheap", "a, b"]}
    shelf = post(client, IDEAS, board_id=board, title="Tool shelf", **more)["id"]
    soup = post(client, IDEAS, board_id=board, title="Soup", status="kept", star=True)["id"]

    text = client.get(EXPORT, params={"board": board, "format": "markdown"}).text

    assert text == (
        f"# Street party\n\n<!-- ideapool:board {board} -->\n\nA party all enjoy.\n\n"
        f'## Tool shelf\n\nStatus: draft · Tags: "a, b", cheap, home <!-- ideapool:idea {shelf} -->'
        "\n\nLend *drills*.\n\n"
        f"## Soup\n\nStatus: kept, starred <!-- ideapool:idea {soup} -->\n"
    )


def test_an_import_may_be_larger_than_other_calls_but_not_without_limit(
    settings: Settings,
) -> None:
    limited = settings.model_copy(update={"import_limit_bytes": 1024 * 1024})
    with TestClient(create_app(limited, FakeBackend()), base_url="http://localhost") as client:
        archive = client.get(EXPORT).content
        allowed = archive + b" " * (limited.body_limit_bytes + 1)

        assert client.post(IMPORT, content=allowed).status_code == 200
        assert client.post(IMPORT, content=archive + b" " * 1024 * 1024).status_code == 413
        assert client.post(BOARDS, content=allowed).status_code == 413


def test_the_links_to_exports_on_a_page_work(client: TestClient) -> None:
    page = client.get("/", headers={"accept": "text/html"}).text

    links = re.findall(r'href="(/api/v1/export[^"]*)"', page)

    assert links
    assert all(client.get(link.replace("&amp;", "&")).status_code == 200 for link in links)


def test_suggestions_of_older_files_are_imported_as_never_replaced(
    other: TestClient, archive: Json
) -> None:
    for row in archive["suggestions"]:
        del row["redrawn_in"]

    added = post(other, IMPORT, **archive)["added"]

    assert added["suggestions"] == len(archive["suggestions"])
    assert {row["redrawn_in"] for row in exported(other)["suggestions"]} == {None}
