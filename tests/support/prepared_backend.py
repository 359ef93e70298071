"""A backend whose files come when a test lets them, for changes of the served set."""

from dataclasses import replace

from tests.support.fake_backend import FAKE_MODEL, FakeBackend, Gate, Reply


class PreparedBackend(FakeBackend):
    """Its files are there once `files` is open; then its model has the error, if one is given."""

    def __init__(self, name: str, *replies: Reply, error: str | None = None) -> None:
        super().__init__(replies, model=replace(FAKE_MODEL, name=name))
        self.files = Gate()
        self.files.clear()
        self.is_started = False
        self.error = error

    async def start(self) -> None:
        self.is_started = True

    async def prepare(self) -> None:
        await self.files.wait()
        if self.error is not None:
            self.model = replace(self.model, state="failed", error=self.error)
