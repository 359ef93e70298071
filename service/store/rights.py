"""Whether somebody may still do what they could when a long request began."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlmodel import Session, col, select

from service.store.database import Database
from service.store.hidden_ideas import ALL_OF_THEM
from service.store.keys import digest, living
from service.store.tables import ApiKey, Run
from service.store.team_tables import Membership, Person


@dataclass(frozen=True, slots=True)
class Claim:
    """What a long request needs: that its token is valid, and that its person may read the board or the
    run, or has a role anywhere. What is None is not needed.
    """

    token: str | None = None
    person_id: str | None = None
    board_id: str | None = None
    run_id: str | None = None

    @property
    def is_empty(self) -> bool:
        return self.token is None and self.person_id is None


class RightStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def held(self, claims: Collection[Claim]) -> set[Claim]:
        """Returns those of the claims that still hold, in a few queries for all of them."""
        with self._database.read() as session:
            tokens = _valid_tokens(session, {one.token for one in claims if one.token is not None})
            boards = _boards(session, {one.person_id for one in claims if one.person_id})
            runs = _runs(session, {one.run_id for one in claims if one.run_id is not None})
        return {
            one
            for one in claims
            if (one.token is None or one.token in tokens)
            and (one.person_id is None or _may(one, boards.get(one.person_id, set()), runs))
        }


def _valid_tokens(session: Session, tokens: set[str]) -> set[str]:
    # Looked up by its hash, so the time taken tells nothing about the token.
    by_digest = {digest(token): token for token in tokens}
    if not by_digest:
        return set()
    found = session.exec(
        select(ApiKey.sha256).where(col(ApiKey.sha256).in_(by_digest), *living()),
        execution_options=ALL_OF_THEM,
    )
    return {by_digest[one] for one in found}


def _boards(session: Session, person_ids: set[str]) -> dict[str, set[str]]:
    """The boards on which each person has a role; an empty id stands for all boards."""
    found: dict[str, set[str]] = {}
    if person_ids:
        rows = session.exec(
            select(Membership.person_id, Membership.board_id)
            .join(Person, col(Person.id) == col(Membership.person_id))
            .where(col(Membership.person_id).in_(person_ids), col(Person.removed_at).is_(None)),
            execution_options=ALL_OF_THEM,
        )
        for person_id, board_id in rows:
            found.setdefault(person_id, set()).add(board_id)
    return found


# The board of each run, and who started it.
Runs = Mapping[str, tuple[str | None, str | None]]


def _runs(session: Session, run_ids: set[str]) -> Runs:
    if not run_ids:
        return {}
    rows = session.exec(
        select(Run.id, Run.board_id, Run.person_id).where(col(Run.id).in_(run_ids)),
        execution_options=ALL_OF_THEM,
    )
    return {run_id: (board_id, person_id) for run_id, board_id, person_id in rows}


def _may(claim: Claim, boards: set[str], runs: Runs) -> bool:
    if claim.run_id is not None:
        return "" in boards or _may_read_run(claim, boards, runs)
    if claim.board_id is not None:
        return "" in boards or claim.board_id in boards
    return bool(boards)


def _may_read_run(claim: Claim, boards: set[str], runs: Runs) -> bool:
    """A run without a board is for whoever started it, and for those with a role on every board."""
    board_id, person_id = runs.get(claim.run_id or "", (None, None))
    if board_id is not None:
        return board_id in boards
    return bool(boards) and person_id == claim.person_id
