"""Links that show a board to whoever has them, only to read. Only the hashes of their tokens are stored."""

from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from service.errors import NotFound
from service.messages import Text
from service.schemas.identity import now
from service.schemas.shared_links import SharedLinkCreate, SharedLinkPublic
from service.store.cursors import EVERYTHING, Key, Order, Page, PageOf
from service.store.database import Database
from service.store.hidden_ideas import ALL_OF_THEM
from service.store.ideas import live_board_id
from service.store.keys import digest, new_token
from service.store.tables import Board
from service.store.team_tables import SharedLink

PREFIX = "s_"
_NEWEST = Order(
    "shared-links",
    Key(col(SharedLink.created_at), datetime, descending=True),
    Key(col(SharedLink.id), str),
)


class SharedLinkStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, board_id: str, shape: SharedLinkCreate) -> tuple[SharedLinkPublic, str]:
        """Creates a link and returns its token too, which cannot be read again."""
        token = PREFIX + new_token()
        with self._database.write() as session:
            link = SharedLink(board_id=live_board_id(session, board_id), sha256=digest(token))
            if shape.days is not None:
                link.expires_at = link.created_at + timedelta(days=shape.days)
            session.add(link)
            return _public(link), token

    def all(self, board_id: str) -> list[SharedLinkPublic]:
        """Returns the board's links, newest first."""
        return self.page(board_id, EVERYTHING).items

    def page(self, board_id: str, wanted: PageOf) -> Page[SharedLinkPublic]:
        with self._database.read() as session:
            live_board_id(session, board_id)
            chosen = select(SharedLink).where(SharedLink.board_id == board_id)
            page = _NEWEST.page(session, chosen, wanted)
            return Page([_public(one) for one in page.items], page.cursor)

    def withdraw(self, board_id: str, link_id: str) -> SharedLinkPublic:
        """Closes a link for ever; closing it again changes nothing.

        Raises:
            NotFound: the board has no such link.
        """
        with self._database.write() as session:
            link = session.get(SharedLink, link_id)
            if link is None or link.board_id != board_id:
                raise NotFound(Text("There is no link %(link_id)s.", link_id=link_id))
            link.withdrawn_at = link.withdrawn_at or now()
            session.add(link)
            return _public(link)

    def board_of(self, token: str) -> str:
        """Returns the id of the board that the link shows.

        Raises:
            NotFound: the link is unknown, withdrawn or expired, or its board was deleted; it says which.
        """
        # Looked up by its hash, so the time taken tells nothing about the token.
        with self._database.read() as session:
            link = session.exec(
                select(SharedLink).where(SharedLink.sha256 == digest(token)),
                execution_options=ALL_OF_THEM,
            ).first()
            _check(session, link)
            assert link is not None
            return link.board_id


def _check(session: Session, link: SharedLink | None) -> None:
    if link is None:
        raise NotFound(Text("There is no such link. Check that you copied all of it."))
    if link.withdrawn_at is not None:
        raise NotFound(Text("This link was withdrawn. Ask whoever sent it for a new one."))
    if link.expires_at is not None and link.expires_at <= now():
        raise NotFound(Text("This link has expired. Ask whoever sent it for a new one."))
    # Whoever has the link has no role there.
    board = session.get(Board, link.board_id, execution_options=ALL_OF_THEM)
    if board is None or board.deleted_at is not None:
        raise NotFound(Text("The board behind this link was deleted."))


def _public(link: SharedLink) -> SharedLinkPublic:
    is_current = link.expires_at is None or link.expires_at > now()
    return SharedLinkPublic(**link.model_dump(), is_open=link.withdrawn_at is None and is_current)
