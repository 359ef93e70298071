"""From an empty board to a ranked, refined shortlist of three: `python -m benchmarks.bench_story`.

A real server, the real model and a real browser; counts clicks and what is typed, and the seconds
that the machine takes. A person's reading and thinking come on top.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, expect, sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.support.app_server import serving

TOPIC = "a street party that costs nothing"
SHORTLIST = 3
PATIENCE_MS = 600_000


class Person:
    """Clicks and types, and keeps count of it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clicks = 0
        self.typed = 0

    def click(self, target: Locator) -> None:
        target.click()
        self.clicks += 1

    def type(self, target: Locator, text: str) -> None:
        target.fill(text)
        self.typed += len(text)

    def await_run(self) -> None:
        under_way = self.page.locator("#run .state-running, #run .state-queued")
        self.page.locator("#run").wait_for()
        expect(under_way).to_have_count(0, timeout=PATIENCE_MS)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began, clicks = time.perf_counter(), self.clicks
        yield
        took_s = time.perf_counter() - began
        print(f"{name:<44} {self.clicks - clicks:3d} clicks {took_s:7.1f} s", flush=True)


def walk(person: Person, votes: int) -> None:
    page = person.page
    with person.stage("brainstorm eight ideas, keep all"):
        person.type(page.locator("#topic"), TOPIC)
        person.click(page.locator("#brainstorm"))
        person.await_run()
        person.click(page.get_by_role("button", name="Keep all"))
        expect(page.locator("#ideas .card:not(.add)")).not_to_have_count(0)
    with person.stage(f"rank them by {votes} votes"):
        person.click(page.locator("#rank-link"))
        for number in range(votes):
            first, second = page.locator("#first-title, #second-title").all_inner_texts()
            # Any steady taste does: here the longer title is the better idea.
            side = "first" if (len(first), first) > (len(second), second) else "second"
            before = page.locator("#voted-text").inner_text() if number else ""
            person.click(page.locator(f"#vote-{side}"))
            expect(page.locator("#voted-text")).not_to_have_text(before)
    best = page.locator("#ranking tbody tr a").all_inner_texts()[:SHORTLIST]
    addresses = [
        page.locator("#ranking tbody tr a").nth(place).get_attribute("href") or ""
        for place in range(SHORTLIST)
    ]
    for title, address in zip(best, addresses, strict=True):
        with person.stage(f"refine “{title}”"):
            page.goto(address)
            person.clicks += 1
            person.click(page.get_by_role("button", name="Clearer", exact=True))
            person.await_run()
            if page.locator("#accept").count():
                person.click(page.locator("#accept"))
            else:
                print("  " + page.locator("#run").inner_text().replace("\n", " ")[:200])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="standard")
    parser.add_argument("--votes", type=int, default=10)
    options = parser.parse_args()
    program = next(path for path in CHROMIUM if Path(path).exists())
    with (
        tempfile.TemporaryDirectory() as folder,
        # As people start it: ideas of the bank and of their boards come first.
        serving(
            Path(folder),
            IDEAPOOL_MODEL=options.model,
            IDEAPOOL_IDEA_BANK="true",
            IDEAPOOL_BOARD_IDEAS="true",
        ) as server,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS)) as browser,
    ):
        server.await_models()
        page = browser.new_page(base_url=server.url)
        page.goto("/")
        person = Person(page)
        began = time.perf_counter()
        walk(person, options.votes)
        took_s = time.perf_counter() - began
        print(
            f"{'all':<44} {person.clicks:3d} clicks {took_s:7.1f} s, {person.typed} letters typed"
        )


if __name__ == "__main__":
    main()
