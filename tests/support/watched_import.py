"""Watches an import in a test."""

from sqlmodel import Session


class Watched:
    """Notes how many ideas were written after each transaction, and stops after so many of them."""

    def __init__(self, most: int | None = None) -> None:
        self.total = 0
        self.written: list[int] = []
        self._most = most

    def begin(self, total: int) -> None:
        self.total = total

    def goes_on(self, _session: Session, written: int) -> bool:
        self.written.append(written)
        return self._most is None or len(self.written) < self._most
