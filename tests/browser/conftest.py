"""A browser with traps: any dialog, console error, CSP violation or foreign request fails a test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Page,
    Request,
    expect,
    sync_playwright,
)

from service.actor import ACTOR, Actor, Role
from service.app import create_app
from service.schemas.ideas import IdeaCreate, IdeaPublic
from service.settings import Settings
from service.store import Store
from service.store.team_tables import Person
from tests.support.app_server import Server, served, serving
from tests.support.fake_backend import FakeBackend

CHROMIUM = tuple(
    f"/usr/bin/{name}"
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
)
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDTHS = {1280: 900, 390: 844}
# Proves nothing: a busy machine may take long.
PATIENCE_MS = 60_000
Scheme = Literal["light", "dark"]


# For the package, not the session: Playwright keeps an event loop running in this thread, in which
# no other test could start one of its own.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    program = next(path for path in CHROMIUM if Path(path).exists())
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE_MS)
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield browser
        browser.close()


@dataclass
class Traps:
    """What went wrong in a browser, but for what a test expects by a part of its text."""

    base: str
    faults: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def expect(self, part: str) -> None:
        self.expected.append(part)

    def set(self, context: BrowserContext) -> None:
        context.on("request", self._see)
        context.on("page", self._watch)

    def _see(self, request: Request) -> None:
        if not request.url.startswith((self.base, "data:", "blob:")):
            self.faults.append(f"request to {request.url}")

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("dialog", self._dismiss)
        page.on("console", self._listen)

    def _dismiss(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"console: {message.text}")

    def check(self) -> None:
        unexpected = [
            fault for fault in self.faults if not any(part in fault for part in self.expected)
        ]
        assert unexpected == []


Visit = Callable[..., Page]


class Visitors:
    """Opens browsers of their own at one server, all of them trapped."""

    def __init__(self, chromium: Browser, base: str, stack: ExitStack) -> None:
        self.traps = Traps(base)
        self._chromium = chromium
        self._base = base
        self._stack = stack

    def __call__(self, *, width: int = 1280, scheme: Scheme = "light", **options: Any) -> Page:
        context = self._chromium.new_context(
            base_url=self._base,
            viewport={"width": width, "height": WIDTHS[width]},
            color_scheme=scheme,
            reduced_motion="reduce",
            **options,
        )
        context.set_default_timeout(PATIENCE_MS)
        self._stack.callback(context.close)
        self.traps.set(context)
        return context.new_page()


def settled(page: Page) -> None:
    """Wait until the page has been fetched once more, as it is when a run that it shows is over.

    Before, the run's end must have been seen: the last snapshot shows it earlier than that.
    """
    expect(page.locator(r"#run[hx-sse\:connect]")).to_have_count(0)


@dataclass
class Pool:
    """A server of this process with a fake model, and what is behind it."""

    url: str
    store: Store
    backend: FakeBackend

    @property
    def board_id(self) -> str:
        return self.store.boards.default().id

    def add(self, title: str, body: str = "", **fields: Any) -> IdeaPublic:
        return self.store.ideas.create(IdeaCreate(title=title, body=body, **fields))


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def pool(migrated: Settings, backend: FakeBackend) -> Iterator[Pool]:
    app = create_app(migrated.model_copy(update={"drain_s": 0}), backend)
    with served(app) as url:
        yield Pool(url, app.state.store, backend)


@pytest.fixture
def visit(chromium: Browser, pool: Pool) -> Iterator[Visitors]:
    with ExitStack() as stack:
        visitors = Visitors(chromium, pool.url, stack)
        yield visitors
    visitors.traps.check()


@pytest.fixture
def ada(pool: Pool) -> Iterator[None]:
    """What the test does in the store, Ada does."""
    with pool.store.ideas._database.write() as session:
        session.add(Person(id="ada", name="Ada"))
    token = ACTOR.set(Actor(person_id="ada", name="Ada", role=Role.EDITOR))
    yield
    ACTOR.reset(token)


@pytest.fixture
def page(visit: Visitors) -> Page:
    return visit()


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The real thing: its own process and the small model."""
    with serving(tmp_path_factory.mktemp("server")) as server:
        server.await_models()
        yield server


@pytest.fixture
def visit_server(chromium: Browser, server: Server) -> Iterator[Visitors]:
    with ExitStack() as stack:
        visitors = Visitors(chromium, server.url, stack)
        yield visitors
    visitors.traps.check()
