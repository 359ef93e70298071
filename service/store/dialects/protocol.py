"""What the store asks of a kind of database."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Engine
from sqlalchemy.engine import Connection
from sqlmodel import Session

from service.errors import StorageUnavailable
from service.messages import Text
from service.store.dialects.channel import Connect
from service.store.dialects.locks import Locks
from service.store.dialects.versions import Versions

# Options of a writer's connections while a server starts: it waits until others have migrated.
STARTING: Mapping[str, Any] = {"is_starting": True}

TRY_AGAIN, ALL_IN_USE = Text("Try again."), Text("all connections are in use")


@dataclass(frozen=True, slots=True)
class Facts:
    """`revision` is the migration of its tables, if it has any. `connections` are those of servers and
    commands; a file has a lock instead.
    """

    server: str
    size_bytes: int
    revision: str | None
    keys: int
    connections: int = 0


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a database cannot be used, and what to do about it, for everybody; `told` is for the log,
    because who may read pages need not know where the server is.
    """

    reason: str
    advice: str = TRY_AGAIN
    told: str = ""


class Dialect(Protocol):
    """A kind of database, and one of them that a URL names.

    `place` names it in messages and never contains a password. `path` is its file, or None.
    """

    @property
    def kind(self) -> str: ...

    @property
    def place(self) -> str: ...

    @property
    def path(self) -> Path | None: ...

    def writer(self) -> Engine:
        """Its connection waits for its turn: of all that use the database, one writes at a time."""
        ...

    def reader(self) -> Engine:
        """Its connections cannot write, and what a transaction reads is of one moment."""
        ...

    def locks(self) -> Locks:
        """Locks that hold for all who use the database."""
        ...

    def versions(self) -> Versions:
        """What changes with all that anybody stores."""
        ...

    def listening(self) -> Connect | None:
        """Makes connections to hear the signals of other servers; None if there are no others."""
        ...

    def prepare(self, writer: Engine) -> None:
        """Makes sure that the database can be connected to, and that it is fit for use.

        Raises:
            ConfigurationError: it never will be.
            DBAPIError, OSError: it cannot be connected to.
        """
        ...

    def unusable(self, error: Exception) -> StorageUnavailable:
        """Says that the service cannot start with the database."""
        ...

    def keep_copy(self, name: str) -> None:
        """Keeps a copy before a migration, where that is a file beside the database."""
        ...

    def trouble(self, error: Exception) -> Trouble | None:
        """Says why the database cannot be used, if that is what the error means."""
        ...

    def touch(self, connection: Connection) -> None:
        """Writes without changing what is stored."""
        ...

    def facts(self) -> Facts | None:
        """Looks without changing anything; None if there is no database yet.

        Raises:
            StorageUnavailable: it cannot be read.
        """
        ...


class SearchIndex(Protocol):
    """The full-text index; `rows` have number, title, body and tags."""

    def write(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replaces earlier rows of the same ideas."""
        ...

    def remove(self, session: Session, numbers: Iterable[int]) -> None: ...

    def words(self, session: Session, shortest: int, longest: int) -> Sequence[str]:
        """Returns the words of these lengths in all ideas: those that one may not read, too."""
        ...
