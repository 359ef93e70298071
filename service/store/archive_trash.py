"""Finds rows of an archive that are in the trash, and decides what an import does with each idea."""

from typing import NamedTuple

from sqlmodel import Session, select

from service.schemas.archive import Archive
from service.schemas.imports import SHOWN_IDEAS, Action, Imported, ImportedIdea, Reason
from service.store.tables import Board
from service.store.trash_restoration import deleted_boards, deleted_ideas


class Restored(NamedTuple):
    """What is to be restored; `ideas` maps ids to the boards that the file names."""

    boards: list[str]
    ideas: dict[str, str]


class TrashedRows:
    """The boards and ideas of the archive that are deleted on this server."""

    def __init__(self, session: Session, archive: Archive) -> None:
        gone, deleted = deleted_boards(session), deleted_ideas(session)
        self._archive = archive
        self._boards = [board.id for board in archive.boards if board.id in gone]
        self._ideas = {idea.id: idea.board_id for idea in archive.ideas if idea.id in deleted}

    def chosen(self, *, restore: bool) -> Restored:
        return Restored(self._boards, self._ideas) if restore else Restored([], {})

    def describe(
        self, session: Session, result: Imported, known: set[str], *, restore: bool
    ) -> None:
        """Adds the ideas to `result`. `known` are those from before the import, deleted or not."""
        result.ideas = self._described_ideas(session, known, restore=restore)
        if not restore:
            result.in_trash = len(self._ideas)
            return
        for name, rows in (("boards", self._boards), ("ideas", self._ideas)):
            setattr(result.restored, name, len(rows))
            left = getattr(result.already_there, name) - len(rows)
            setattr(result.already_there, name, left)

    def _described_ideas(
        self, session: Session, known: set[str], *, restore: bool
    ) -> list[ImportedIdea]:
        names = dict(session.exec(select(Board.id, Board.name)).all())
        names |= {board.id: board.name for board in self._archive.boards}
        described = []
        for idea in self._archive.ideas[:SHOWN_IDEAS]:
            action, reason = self._action_for(idea.id, known, restore=restore)
            board = names[idea.board_id]
            described.append(
                ImportedIdea(
                    action=action, reason=reason, id=idea.id, title=idea.title, board=board
                )
            )
        return described

    def _action_for(self, idea_id: str, known: set[str], *, restore: bool) -> tuple[Action, Reason]:
        if idea_id not in known:
            return "add", ""
        if idea_id not in self._ideas:
            return "skip", "there"
        return ("restore", "") if restore else ("skip", "deleted")
