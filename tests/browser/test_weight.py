"""What the first visit costs: bytes over the wire, on a board with work on it."""

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Pool
from tests.support.fake_backend import IDEAS

FIRST_LOAD_BYTES = 80 * 1024


def test_the_first_load_of_a_board_and_of_an_idea_stays_small(page: Page, pool: Pool) -> None:
    for title, text in IDEAS * 6:
        idea = pool.add(title, text, tags=["street", "summer"])
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.setCacheDisabled", {"cacheDisabled": True})
    costs: dict[str, float] = {}
    network.on(
        "Network.loadingFinished",
        lambda event: costs.update({event["requestId"]: event["encodedDataLength"]}),
    )

    for address in (f"/boards/{pool.board_id}", f"/ideas/{idea.id}"):
        costs.clear()
        page.goto(address, wait_until="networkidle")

        assert len(costs) >= 5, "page, sheet and scripts"
        assert sum(costs.values()) < FIRST_LOAD_BYTES


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_pages_are_compressed_for_browsers_that_accept_it(
    page: Page, pool: Pool, encoding: str
) -> None:
    address = f"{pool.url}/boards/{pool.board_id}"
    answer = page.request.get(address, headers={"Accept-Encoding": encoding})

    assert answer.headers.get("content-encoding", "identity") == encoding
    assert "accept-encoding" in answer.headers["vary"].lower()


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
