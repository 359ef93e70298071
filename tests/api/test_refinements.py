"""Refinements over REST: a passage alone, single edits, what becomes of them, versions side by side."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.prompts.answers import refine_answer
from tests.support.fake_backend import PASSAGE, FakeBackend

pytestmark = pytest.mark.both_databases

API = "/api/v1"
TITLE = "tool shelf"
BODY = "A shelf in the hall.\n\nPeople lend drills. Ask first.\n\nAsk first!"
# Of the title, and of three places in the text.
NEW_TITLE = "Tool Shelf"
NEW_BODY = "A shelf in the cellar.\n\nNeighbours lend drills. Ask Lena first.\n\nAsk first!"


@pytest.fixture
def idea(client: TestClient) -> Any:
    return client.post(f"{API}/ideas", json={"title": TITLE, "body": BODY}).json()


@pytest.fixture
def run(client: TestClient, backend: FakeBackend, idea: Any) -> Any:
    backend.replies.append(refine_answer(NEW_TITLE, NEW_BODY, ("Named Lena", "Told a story")))
    return refine(client, idea_id=idea["id"])


def refine(client: TestClient, status: int = 200, **task: Any) -> Any:
    response = client.post(f"{API}/refine", json=task)
    assert response.status_code == status, response.text
    return response.json()


def accept(client: TestClient, run: Any, status: int = 200, tag: str = "", **choice: Any) -> Any:
    headers = {"if-match": tag} if tag else {}
    response = client.post(f"{API}/runs/{run['run_id']}/accept", json=choice, headers=headers)
    assert response.status_code == status, response.text
    return response.json()


def versions(client: TestClient, idea: Any) -> list[tuple[str, str | None, str]]:
    rows = client.get(f"{API}/ideas/{idea['id']}/versions").json()
    return [(row["origin"], row["run_id"], row["body"]) for row in rows]


def test_a_refinement_numbers_its_edits(run: Any) -> None:
    assert [(one["number"], one["part"], one["removed"], one["added"]) for one in run["edits"]] == [
        (1, "title", "tool shelf", "Tool Shelf"),
        (2, "body", "hall.", "cellar."),
        (3, "body", "People", "Neighbours"),
        (4, "body", "", "Lena "),
    ]
    assert all(
        BODY[one["start"] :].startswith(one["removed"])
        for one in run["edits"]
        if one["part"] == "body"
    )


def test_single_edits_are_accepted_as_a_version_by_the_model(
    client: TestClient, idea: Any, run: Any
) -> None:
    accepted = accept(client, run, edits=[3, 4])

    text = BODY.replace("People", "Neighbours").replace("drills. Ask", "drills. Ask Lena")
    assert (accepted["title"], accepted["body"], accepted["version"]) == (TITLE, text, 2)
    assert versions(client, idea) == [("model", run["run_id"], text), ("human", None, BODY)]
    assert client.get(f"{API}/runs/{run['run_id']}").json()["decision"] == "accepted"


@pytest.mark.parametrize("choice", [{}, {"edits": [4, 2, 1, 3]}, {"edits": None}])
def test_all_edits_give_exactly_the_proposed_text(
    client: TestClient, run: Any, choice: dict[str, Any]
) -> None:
    accepted = accept(client, run, **choice)

    assert (accepted["title"], accepted["body"]) == (run["title"], run["body"])


def test_changes_by_a_person_become_a_version_of_their_own(
    client: TestClient, idea: Any, run: Any
) -> None:
    accepted = accept(client, run, edits=[2], body="In my own words.")

    composed = BODY.replace("hall.", "cellar.")
    assert (accepted["title"], accepted["body"], accepted["version"]) == (
        TITLE, "In my own words.", 3,
    )  # fmt: skip
    assert versions(client, idea) == [
        ("human", None, "In my own words."),
        ("model", run["run_id"], composed),
        ("human", None, BODY),
    ]


def test_an_edit_that_changes_nothing_makes_no_version(
    client: TestClient, idea: Any, run: Any
) -> None:
    accept(client, run, title=run["title"], body=run["body"])

    assert [origin for origin, _, _ in versions(client, idea)] == ["model", "human"]


@pytest.mark.parametrize(
    ("choice", "pointer"),
    [
        ({"edits": []}, "/edits"),
        ({"edits": [5]}, "/edits"),
        ({"edits": [0]}, "/edits/0"),
        ({"edits": [1], "idea_version": 7}, "/idea_version"),
    ],
)
def test_an_invalid_choice_of_edits_leaves_the_idea_unchanged(
    client: TestClient, idea: Any, run: Any, choice: dict[str, Any], pointer: str
) -> None:
    # As if it had been seen, so that only the choice is wrong.
    problem = accept(client, run, 422, tag='"1"', **choice)

    assert problem["errors"][0]["pointer"] == pointer
    assert versions(client, idea) == [("human", None, BODY)]
    assert client.get(f"{API}/runs/{run['run_id']}").json()["decision"] == "open"


def test_edits_of_an_outdated_text_are_refused(client: TestClient, idea: Any, run: Any) -> None:
    theirs = BODY + "\n\nBring it back."
    client.patch(f"{API}/ideas/{idea['id']}", json={"body": theirs})

    problem = accept(client, run, 412, edits=[2])

    assert "numbered for version 1" in problem["detail"]
    assert versions(client, idea)[0] == ("human", None, theirs)


def test_edits_are_renumbered_for_the_current_text(client: TestClient, idea: Any, run: Any) -> None:
    theirs = "Bring it back.\n\n" + BODY
    client.patch(f"{API}/ideas/{idea['id']}", json={"body": theirs})

    now = client.get(f"{API}/runs/{run['run_id']}/edits").json()
    number = next(one["number"] for one in now["edits"] if one["added"] == "Neighbours")
    accepted = accept(client, run, edits=[number], idea_version=now["idea_version"])

    assert (now["idea_version"], now["is_stale"], now["body"]) == (2, True, theirs)
    assert accepted["body"] == theirs.replace("People", "Neighbours")


def test_edits_are_those_of_the_answer_while_the_text_is_unchanged(
    client: TestClient, run: Any
) -> None:
    now = client.get(f"{API}/runs/{run['run_id']}/edits").json()

    assert (now["edits"], now["is_stale"], now["idea_version"]) == (run["edits"], False, 1)


def test_a_text_without_a_board_has_edits_too(client: TestClient) -> None:
    run = refine(client, title="tool shelf", body="drills")

    now = client.get(f"{API}/runs/{run['run_id']}/edits").json()

    assert (now["edits"], now["idea_version"], now["body"]) == (run["edits"], None, "drills")


def test_only_refinements_have_edits(client: TestClient) -> None:
    run = client.post(f"{API}/evaluate", json={"title": "Shelf"}).json()

    assert client.get(f"{API}/runs/{run['run_id']}/edits").status_code == 409


def test_only_the_selected_passage_is_rewritten(
    client: TestClient, backend: FakeBackend, idea: Any
) -> None:
    run = refine(client, idea_id=idea["id"], selection="People lend drills.", instruction="longer")

    assert run["title"] == TITLE
    assert run["body"] == BODY.replace("People lend drills.", PASSAGE[0])
    assert run["changes"] == list(PASSAGE[1])
    assert {one["part"] for one in run["edits"]} == {"body"}
    assert "<idea>People lend drills.</idea>" in repr(backend.history[0])
    assert accept(client, run)["body"] == run["body"]


def test_a_passage_of_a_text_without_a_board_is_rewritten(client: TestClient) -> None:
    run = refine(client, title="Shelf", body="One. Two drills. Three.", selection="Two drills.")

    assert run["body"] == f"One. {PASSAGE[0]} Three."


def test_a_passage_that_occurs_twice_needs_its_start(client: TestClient, idea: Any) -> None:
    problem = refine(client, 422, idea_id=idea["id"], selection="Ask first")
    place = BODY.rindex("Ask first")

    run = refine(client, idea_id=idea["id"], selection="Ask first", start=place)

    assert "This passage occurs 2 times" in problem["detail"]
    assert run["body"] == BODY[:place] + PASSAGE[0].rstrip(".") + "!"


@pytest.mark.parametrize(
    ("task", "pointer"),
    [
        ({"selection": "not in it"}, "/selection"),
        ({"selection": " \n"}, "/selection"),
        ({"start": 3}, "/selection"),
        ({"selection": "Ask first", "start": 3}, "/start"),
        ({"selection": "Ask first", "start": -1}, "/start"),
    ],
)
def test_a_missing_or_ambiguous_passage_starts_no_run(
    client: TestClient, idea: Any, task: dict[str, Any], pointer: str
) -> None:
    problem = refine(client, 422, idea_id=idea["id"], **task)

    assert problem["errors"][0]["pointer"] == pointer
    assert client.get(f"{API}/runs").json() == []


def test_the_model_is_asked_again_if_it_returns_the_passage_unchanged(
    client: TestClient, backend: FakeBackend, idea: Any
) -> None:
    backend.replies.append("Idea: People lend drills.\n\nChanges:\n- Nothing at all changed.")

    run = refine(client, idea_id=idea["id"], selection="People lend drills.")

    assert PASSAGE[0] in run["body"]
    assert len(backend.history) == 2


def test_the_model_is_asked_again_if_it_only_says_that_the_text_is_clearer(
    client: TestClient, backend: FakeBackend
) -> None:
    note = (
        "On Fridays six of us want to cook soup for the lunch table and share out the washing up."
    )
    echo = "This makes it clearer and simpler to read."
    backend.replies.append(refine_answer("Friday Soup", echo, ("Made it clearer",)))
    backend.replies.append(refine_answer("Friday Soup", "Six of us cook soup.", ("Cut it",)))

    run = refine(client, title="Soup", body=note)

    assert run["body"] == "Six of us cook soup."
    assert len(backend.history) == 2


def test_any_two_versions_are_compared(client: TestClient, idea: Any) -> None:
    address = f"{API}/ideas/{idea['id']}"
    for body in ("A shelf in the cellar.", "A box in the cellar."):
        client.patch(address, json={"body": body})

    newest = client.get(f"{address}/compare").json()
    backwards = client.get(f"{address}/compare", params={"from": 3, "to": 2}).json()
    same = client.get(f"{address}/compare", params={"from": 2, "to": 2}).json()

    assert (newest["before"]["number"], newest["after"]["number"]) == (2, 3)
    assert [(one["removed"], one["added"]) for one in newest["edits"]] == [("shelf", "box")]
    assert [(one["removed"], one["added"]) for one in backwards["edits"]] == [("box", "shelf")]
    assert same["edits"] == []


def test_an_unknown_version_cannot_be_compared(client: TestClient, idea: Any) -> None:
    response = client.get(f"{API}/ideas/{idea['id']}/compare", params={"to": 9})

    assert response.status_code == 404
    assert "versions are 1 to 1" in response.json()["detail"]


def test_an_idea_with_one_version_is_compared_with_itself(client: TestClient, idea: Any) -> None:
    compared = client.get(f"{API}/ideas/{idea['id']}/compare").json()

    assert (compared["before"], compared["edits"]) == (compared["after"], [])


NOTE = "40 bikes, no pump. Ask Lena, 25 euros."
WHOLE = ("A Pump", "Forty bikes have no pump. Ask Lena for one at 25 euros.", ("Wrote sentences",))
WITHOUT_LENA = ("A Pump", "Forty bikes have no pump. One costs 25 euros.", ("Wrote sentences",))
WITHOUT_BOTH = ("A Pump", "Forty bikes have no pump. Somebody buys one.", ("Wrote sentences",))


@pytest.mark.parametrize(
    ("replies", "body", "left_out"),
    [
        ([WHOLE, WITHOUT_BOTH], WHOLE[1], []),
        ([WITHOUT_BOTH, WHOLE], WHOLE[1], []),
        ([WITHOUT_BOTH, WITHOUT_LENA], WITHOUT_LENA[1], ["Lena"]),
        ([WITHOUT_LENA, WITHOUT_BOTH], WITHOUT_LENA[1], ["Lena"]),
    ],
    ids=["at once", "the second time", "less", "more"],
)
def test_the_model_is_asked_once_more_if_facts_are_dropped_and_the_fuller_text_counts(
    client: TestClient,
    backend: FakeBackend,
    replies: list[tuple[str, str, tuple[str, ...]]],
    body: str,
    left_out: list[str],
) -> None:
    backend.replies += [refine_answer(*reply) for reply in replies]

    refined = refine(client, title="pump", body=NOTE)

    assert (refined["body"], refined["left_out"]) == (body, left_out)


def test_an_unusable_second_text_leaves_the_first_one(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.replies += [refine_answer(*WITHOUT_LENA), "nonsense"]

    assert refine(client, title="pump", body=NOTE)["body"] == WITHOUT_LENA[1]


def test_an_own_instruction_may_ask_to_leave_facts_out(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.replies += [refine_answer(*WITHOUT_LENA), refine_answer(*WHOLE)]

    refined = refine(client, title="pump", body=NOTE, instruction="don't name people")

    assert (refined["body"], refined["left_out"]) == (WITHOUT_LENA[1], ["Lena"])


STEP = ("A Pump", f"{WHOLE[1]} As a first step, measure the rack.", ("Added a step",))


@pytest.mark.parametrize(
    ("replies", "body", "lacking"),
    [
        ([STEP, WHOLE], STEP[1], []),
        ([WHOLE, STEP], STEP[1], []),
        ([WHOLE, WHOLE], WHOLE[1], ["a first step"]),
    ],
    ids=["at once", "the second time", "never"],
)
def test_a_wish_that_is_not_met_is_asked_for_once_more_and_then_told(
    client: TestClient,
    backend: FakeBackend,
    replies: list[tuple[str, str, tuple[str, ...]]],
    body: str,
    lacking: list[str],
) -> None:
    backend.replies += [refine_answer(*reply) for reply in replies]

    refined = refine(client, title="pump", body=NOTE, instruction="add a first step")

    assert (refined["body"], refined["unmet"]) == (body, lacking)
    page = client.get(f"/runs/{refined['run_id']}").text
    assert ("Not done as you asked" in page) is bool(lacking)


def test_a_wish_for_a_passage_is_looked_for_in_the_passage(
    client: TestClient, backend: FakeBackend
) -> None:
    longer = refine_answer("", "We still have no pump at all.", ("Wrote a sentence",))
    passage = longer.partition("\n")[2]
    backend.replies += [passage, passage]

    refined = refine(client, title="p", body=NOTE, selection="no pump", instruction="shorter")

    assert refined["unmet"] == ["a shorter text"]


def test_a_page_counts_what_a_refinement_changed_and_shows_only_claims_that_the_changes_show(
    client: TestClient, run: Any
) -> None:
    page = client.get(f"/runs/{run['run_id']}").text

    facts, _, note = page.partition('id="change-facts"')[2].partition("</ul>")
    assert "The title changed" in facts
    assert "3 sentences changed" in facts
    assert "Named Lena" not in facts
    assert "The model’s own note" in note
    assert "Named Lena" in note
    assert "Told a story" not in note
    assert run["changes"] == ["Named Lena"]


def reopen(client: TestClient, run: Any, status: int = 200, **query: Any) -> Any:
    response = client.post(f"{API}/runs/{run['run_id']}/reopen", params=query)
    assert response.status_code == status, response.text
    return response.json()


def text_of(client: TestClient, idea: Any) -> tuple[str, str]:
    found = client.get(f"{API}/ideas/{idea['id']}").json()
    return found["title"], found["body"]


def test_an_acceptance_is_taken_back_and_can_be_decided_again(
    client: TestClient, idea: Any, run: Any
) -> None:
    accept(client, run, edits=[2])

    again = reopen(client, run)
    assert (again["decision"], text_of(client, idea)) == ("open", (TITLE, BODY))
    assert reopen(client, run) == again

    edits = client.get(f"{API}/runs/{run['run_id']}/edits").json()
    assert (edits["is_stale"], edits["edits"]) == (False, run["edits"])
    accept(client, run)
    assert text_of(client, idea) == (NEW_TITLE, NEW_BODY)
    assert len(versions(client, idea)) == 4


def test_a_rejection_is_taken_back(client: TestClient, run: Any) -> None:
    client.post(f"{API}/runs/{run['run_id']}/reject")

    assert reopen(client, run)["decision"] == "open"
    assert accept(client, run)["title"] == NEW_TITLE


def test_an_acceptance_is_not_taken_back_from_under_a_later_text(
    client: TestClient, idea: Any, run: Any
) -> None:
    accept(client, run)
    client.patch(f"{API}/ideas/{idea['id']}", json={"body": "Theirs."})

    reopen(client, run, status=409)
    reopen(client, run, status=409, idea_version=2)

    assert text_of(client, idea)[1] == "Theirs."


def test_an_acceptance_with_a_text_of_ones_own_is_taken_back_by_who_knows_its_version(
    client: TestClient, idea: Any, run: Any
) -> None:
    accepted = accept(client, run, body="In my own words.")

    reopen(client, run, status=409)
    reopen(client, run, idea_version=accepted["version"])

    assert text_of(client, idea) == (TITLE, BODY)


@pytest.mark.parametrize("decision", ["accept", "reject"])
def test_a_page_offers_to_take_a_decision_back(
    client: TestClient, idea: Any, run: Any, decision: str
) -> None:
    form = {"revision": str(idea["revision"]), "take": "all"}
    page = client.post(f"/runs/{run['run_id']}/{decision}", data=form).text
    undo = f"/runs/{run['run_id']}/reopen/{2 if decision == 'accept' else 1}"
    assert f'action="{undo}"' in page

    back = client.post(undo).text

    assert "Undone. You can decide again." in back
    assert 'id="accept"' in back
    assert "The text has changed" not in back
    assert text_of(client, idea) == (TITLE, BODY)
