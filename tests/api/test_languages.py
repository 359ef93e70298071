"""Pages are in the reader's language; the API is always in English."""

from fastapi.testclient import TestClient

from service.errors import PromptTooLong
from service.messages import Text
from tests.support.fake_backend import FakeBackend

SWEDISH = {"accept-language": "sv-SE,sv;q=0.9,en;q=0.5"}
PAGE = {"accept": "text/html"}


def test_a_page_is_in_the_browsers_language(client: TestClient) -> None:
    page = client.get("/", headers=SWEDISH)

    assert '<html lang="sv"' in page.text
    assert "Vad vill du ha idéer till?" in page.text
    assert page.headers["content-language"] == "sv"


def test_a_page_is_in_english_if_the_browser_accepts_no_known_language(client: TestClient) -> None:
    page = client.get("/", headers={"accept-language": "fr"})

    assert '<html lang="en"' in page.text
    assert page.headers["content-language"] == "en"


def test_the_chosen_language_overrides_the_browsers(client: TestClient) -> None:
    chosen = client.post("/language", data={"language": "sv"}, follow_redirects=False)

    assert chosen.status_code == 303
    assert '<html lang="sv"' in client.get("/", headers={"accept-language": "en"}).text
    client.post("/language", data={"language": "auto"})
    assert '<html lang="en"' in client.get("/", headers={"accept-language": "en"}).text


def test_caches_keep_the_languages_apart(client: TestClient) -> None:
    for path in ("/", "/ideas/nope", "/login"):
        vary = client.get(path, headers=PAGE).headers["vary"]

        assert {"Accept-Language", "Cookie"} <= {name.strip() for name in vary.split(",")}


def test_a_message_is_in_the_language_of_the_page_that_shows_it(client: TestClient) -> None:
    client.post("/boards", data={"name": "Sommar"}, follow_redirects=False)

    assert "Tavlan ”Sommar” är klar." in client.get("/", headers=SWEDISH).text


def test_the_api_speaks_english(client: TestClient) -> None:
    problem = client.get("/api/v1/ideas/nope", headers=SWEDISH).json()

    assert problem["title"] == "Not found"


def test_an_error_is_explained_in_the_language_of_the_page(client: TestClient) -> None:
    page = client.get("/ideas/nope", headers=SWEDISH | PAGE)

    assert page.status_code == 404
    assert "Hittades inte" in page.text
    assert "Idén nope finns inte eller har tagits bort." in page.text


def test_ignored_columns_are_listed_in_the_language_of_the_page(client: TestClient) -> None:
    files = {"file": ("ideas.csv", b"title,Owner\nSoup,Ada\n", "text/csv")}

    preview = client.post("/import", files=files, headers=SWEDISH | PAGE)

    assert "Kolumner som inte importeras: Owner" in preview.text


def test_invalid_input_is_explained_in_the_language_of_the_page(
    client: TestClient,
) -> None:
    board = client.get("/api/v1/boards").json()[0]["id"]
    address = f"/boards/{board}/ideas"

    blank = client.post(address, data={"title": " "}, headers=SWEDISH | PAGE)
    long = client.post(address, data={"title": "x" * 1001}, headers=SWEDISH | PAGE)

    assert "Skriv något här. Bara mellanslag räcker inte." in blank.text
    assert "1\xa0001 tecken" in long.text


def test_a_failed_run_says_why_in_the_language_of_the_page(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.replies.append(
        PromptTooLong(Text("The idea %(idea_id)s does not exist or was deleted.", idea_id="x"))
    )
    task = {"title": "Soup", "body": "From one pot."}
    begun = client.post("/api/v1/evaluate", json=task, headers={"prefer": "respond-async"})
    address = begun.headers["location"]
    client.get(f"{address}/events")

    assert client.get(address).json()["error"] == {
        "type": "prompt-too-long",
        "detail": "The idea x does not exist or was deleted.",
    }
    page = client.get(address.removeprefix("/api/v1"), headers=SWEDISH)
    assert "Idén x finns inte eller har tagits bort." in page.text
