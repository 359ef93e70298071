"""Takes the pictures of the documentation: `python -m docs.pictures`.

A real server with the standard model and a real browser, in about three minutes. The model writes
something else each time, so look at the pictures before you commit them.
"""

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import FloatRect, Page, expect, sync_playwright

from service.settings import PROJECT_ROOT
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.support.app_server import Server, serving

FOLDER = PROJECT_ROOT / "docs" / "images"
WIDTH, HEIGHT = 1280, 900
PATIENCE_MS = 300_000
BOARD = {"name": "Village choir", "goal": "A choir of thirty that sings on Tuesdays"}
TOPIC = "welcoming new people to our choir"
OWN = (
    (
        "Choir in the bakery",
        "Sing three songs at the bakery on Saturday at ten, beside the queue.",
        ["town"],
    ),
    ("Lift from the station", "Two drivers fetch singers from the 18:40 train.", ["help"]),
    (
        "One song by heart",
        "Everybody learns one song without a sheet before the summer.",
        ["music"],
    ),
)
NOTE = {
    "title": "Umbrella shelf at the bus stop",
    "body": "old umbrellas from lost property (the bus company has 200) hang in the shelter at Mill "
    "Lane. people take one when it rains + bring it back next day. Petra asks the bus company",
    "tags": ["street", "sharing"],
}


def take_all(server: Server, page: Page, folder: Path) -> None:
    board = server.http.get("/api/v1/boards").json()[0]["id"]
    server.http.patch(f"/api/v1/boards/{board}", json=BOARD)
    for title, body, tags in OWN:
        idea = {"board_id": board, "title": title, "body": body, "tags": tags}
        server.http.post("/api/v1/ideas", json=idea)
    take_brainstorm(page, board, folder / "board.png")
    note = server.http.post("/api/v1/ideas", json=NOTE | {"board_id": board}).json()["id"]
    take_evaluation(page, note, folder / "idea.png")
    take_refinement(page, folder / "refine.png")


def take_brainstorm(page: Page, board: str, file: Path) -> None:
    page.goto(f"/boards/{board}")
    page.locator("#topic").fill(TOPIC)
    page.locator("#brainstorm").click()
    for number in (1, 2):
        page.locator("#run").get_by_role("button", name="Keep “").first.click()
        expect(page.locator("#run .is-kept")).to_have_count(number)
    page.screenshot(path=file)
    await_run(page)


def take_evaluation(page: Page, idea: str, file: Path) -> None:
    page.goto(f"/ideas/{idea}")
    page.get_by_role("button", name="Evaluate", exact=True).click()
    expect(page.locator(".overall")).to_be_visible(timeout=PATIENCE_MS)
    page.goto(f"/ideas/{idea}")
    page.screenshot(path=file)


def take_refinement(page: Page, file: Path) -> None:
    page.get_by_role("button", name="Clearer", exact=True).click()
    await_run(page)
    # All of the proposal, and nothing of what stands below it.
    shown: FloatRect = {"x": 0, "y": 0, "width": WIDTH, "height": 1060}
    page.screenshot(path=file, full_page=True, clip=shown)


def await_run(page: Page) -> None:
    page.locator("#run").wait_for()
    under_way = page.locator("#run .state-running, #run .state-queued")
    expect(under_way).to_have_count(0, timeout=PATIENCE_MS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="standard")
    parser.add_argument("--output", type=Path, default=FOLDER)
    options = parser.parse_args()
    program = next(path for path in CHROMIUM if Path(path).exists())
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), IDEAPOOL_MODEL=options.model, IDEAPOOL_IDEA_BANK="true") as server,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS)) as browser,
    ):
        server.await_models()
        page = browser.new_page(base_url=server.url, viewport={"width": WIDTH, "height": HEIGHT})
        take_all(server, page, options.output)


if __name__ == "__main__":
    main()
