"""How static files are served: kept by browsers as long as their address names their content."""

import pytest
from fastapi.testclient import TestClient

from service.web.templating import Templates

FILES = ("vendor/inter.woff2", "vendor/source-serif-ext.woff2", "app.css", "cards.js")


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_kept_for_good_under_the_address_of_its_content(
    client: TestClient, name: str
) -> None:
    address = Templates().environment().from_string("{{ static(name) }}").render(name=name)

    assert "immutable" in client.get(address).headers["cache-control"]
    assert client.get(f"/static/{name}").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("app.css", "text/css"), ("app.js", "text/javascript"), ("favicon.svg", "image/svg+xml")],
)
def test_text_says_its_charset(client: TestClient, name: str, kind: str) -> None:
    answer = client.get(f"/static/{name}")

    assert answer.headers["content-type"] == f"{kind}; charset=utf-8"


def test_fonts_have_their_type_and_are_not_compressed_again(client: TestClient) -> None:
    answer = client.get("/static/vendor/inter.woff2", headers={"Accept-Encoding": "gzip"})

    assert answer.headers["content-type"] == "font/woff2"
    assert "content-encoding" not in answer.headers
    assert answer.content[:4] == b"wOF2"
