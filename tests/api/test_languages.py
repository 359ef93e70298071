"""Pages speak the reader's language; the API speaks English to everyone."""

from fastapi.testclient import TestClient

SWEDISH = {"accept-language": "sv-SE,sv;q=0.9,en;q=0.5"}
PAGE = {"accept": "text/html"}


def test_a_page_is_in_the_browsers_language(client: TestClient) -> None:
    page = client.get("/", headers=SWEDISH)

    assert '<html lang="sv"' in page.text
    assert "Vad vill du ha idéer till?" in page.text
    assert page.headers["content-language"] == "sv"


def test_a_page_is_in_english_for_everybody_else(client: TestClient) -> None:
    page = client.get("/", headers={"accept-language": "fr"})

    assert '<html lang="en"' in page.text
    assert page.headers["content-language"] == "en"


def test_the_chosen_language_comes_before_the_browsers(client: TestClient) -> None:
    chosen = client.post("/language", data={"language": "sv"}, follow_redirects=False)

    assert chosen.status_code == 303
    assert '<html lang="sv"' in client.get("/", headers={"accept-language": "en"}).text
    client.post("/language", data={"language": "auto"})
    assert '<html lang="en"' in client.get("/", headers={"accept-language": "en"}).text


def test_a_cache_keeps_the_languages_apart(client: TestClient) -> None:
    for path in ("/", "/ideas/nope", "/login"):
        vary = client.get(path, headers=PAGE).headers["vary"]

        assert {"Accept-Language", "Cookie"} <= {name.strip() for name in vary.split(",")}


def test_a_message_is_in_the_language_of_the_page_that_shows_it(client: TestClient) -> None:
    client.post("/boards", data={"name": "Sommar"}, follow_redirects=False)

    assert "Tavlan ”Sommar” är klar." in client.get("/", headers=SWEDISH).text


def test_the_api_speaks_english(client: TestClient) -> None:
    problem = client.get("/api/v1/ideas/nope", headers=SWEDISH).json()

    assert problem["title"] == "Not found"
