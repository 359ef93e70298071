"""What the first visit costs: bytes over the wire, on a board with work on it."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Pool
from tests.support.fake_backend import IDEAS

FIRST_LOAD_BYTES = 80 * 1024
FONT_BYTES = 60 * 1024


def test_the_first_load_of_a_board_and_of_an_idea_stays_small(page: Page, pool: Pool) -> None:
    for title, text in IDEAS * 6:
        idea = pool.add(title, text, tags=["street", "summer"])
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.setCacheDisabled", {"cacheDisabled": True})
    costs: dict[str, float] = {}
    kinds: dict[str, str] = {}
    network.on(
        "Network.responseReceived",
        lambda event: kinds.update({event["requestId"]: event["type"]}),
    )
    network.on(
        "Network.loadingFinished",
        lambda event: costs.update({event["requestId"]: event["encodedDataLength"]}),
    )

    for address in (f"/boards/{pool.board_id}", f"/ideas/{idea.id}"):
        costs.clear()
        page.goto(address, wait_until="networkidle")

        assert len(costs) >= 5, "page, sheet and scripts"
        fonts = [cost for name, cost in costs.items() if kinds[name] == "Font"]
        assert len(fonts) == 2, "the preloaded ones, once, and no other"
        assert sum(fonts) < FONT_BYTES
        assert sum(costs.values()) - sum(fonts) < FIRST_LOAD_BYTES


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_pages_are_compressed_for_browsers_that_accept_it(
    page: Page, pool: Pool, encoding: str
) -> None:
    address = f"{pool.url}/boards/{pool.board_id}"
    answer = page.request.get(address, headers={"Accept-Encoding": encoding})

    assert answer.headers.get("content-encoding", "identity") == encoding
    assert "accept-encoding" in answer.headers["vary"].lower()


def test_what_shows_news_is_loaded_with_the_first_news(page: Page, pool: Pool) -> None:
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    page.goto("/", wait_until="networkidle")

    assert [url for url in loaded if "news.js" in url] == []
    pool.add("Soup from one pot")
    expect(page.locator("#ideas")).to_contain_text("Soup from one pot")
    pool.add("Chalk the road")
    expect(page.locator("#ideas")).to_contain_text("Chalk the road")
    assert len([url for url in loaded if "news.js" in url]) == 1


def test_the_palette_is_loaded_only_when_it_is_opened(page: Page) -> None:
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    page.goto("/", wait_until="networkidle")

    assert [url for url in loaded if "palette" in url] == []
    page.keyboard.press("Control+k")
    page.wait_for_selector("#palette-list [role=option]")
    assert sorted(
        url.partition("?")[0].rpartition("/")[2] for url in loaded if "palette" in url
    ) == [
        "palette",
        "palette.css",
        "palette.js",
    ]
