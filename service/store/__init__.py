"""Runs named queries, and is the only package that builds SQL.

Every method is one short transaction.
"""

from sqlalchemy.orm import ORMExecuteState
from sqlmodel import Session

from service.signals import Signals
from service.store.access import AccessStore, check_writing, limit_reading
from service.store.activity import ActivityStore, changed_topics, record_changes
from service.store.archive import ArchiveStore
from service.store.boards import BoardStore
from service.store.bulk_changes import BulkChangeStore
from service.store.comments import CommentStore
from service.store.comparisons import ComparisonStore
from service.store.database import Database
from service.store.evaluations import EvaluationStore
from service.store.hidden_ideas import hide
from service.store.ideas import IdeaStore
from service.store.invitations import InvitationStore
from service.store.keyed_answers import KeyedAnswerStore
from service.store.keys import KeyStore
from service.store.likes import LikeStore
from service.store.limits import Limits
from service.store.lineage import LineageStore
from service.store.overview import OverviewStore
from service.store.people import PersonStore
from service.store.refinements import RefinementStore
from service.store.rights import RightStore
from service.store.rounds import RoundStore
from service.store.rubrics import RubricStore
from service.store.runs import RunStore
from service.store.suggestions import SuggestionStore
from service.store.taste import TasteStore
from service.store.text_import import TextImportStore
from service.store.topics import TopicStore
from service.store.trash import TrashStore

__all__ = ["Limits", "Store"]


class Store:
    def __init__(self, database: Database, limits: Limits) -> None:
        self.limits = limits
        self.signals = Signals()
        database.observe(
            before_flush=_before_flush, after_commit=self._announce, before_query=_before_query
        )
        self.boards = BoardStore(database, limits)
        self.ideas = IdeaStore(database, limits)
        self.likes = LikeStore(database)
        self.comments = CommentStore(database)
        self.changes = BulkChangeStore(database)
        self.trash = TrashStore(database)
        self.runs = RunStore(database, self.ideas)
        self.refinements = RefinementStore(database, self.ideas)
        self.suggestions = SuggestionStore(database, limits, self.ideas)
        self.comparisons = ComparisonStore(database)
        self.rounds = RoundStore(database, limits)
        self.rubrics = RubricStore(database, limits)
        self.evaluations = EvaluationStore(database)
        self.keys = KeyStore(database)
        self.people = PersonStore(database)
        self.invitations = InvitationStore(database)
        self.access = AccessStore(database)
        self.rights = RightStore(database)
        self.keyed_answers = KeyedAnswerStore(database)
        self.lineage = LineageStore(database)
        self.overview = OverviewStore(database)
        self.activity = ActivityStore(database)
        self.archive = ArchiveStore(database, limits)
        self.topics = TopicStore(database)
        self.taste = TasteStore(database)
        self.text_import = TextImportStore(database, limits, self.ideas)

    def _announce(self, session: Session) -> None:
        self.signals.announce(changed_topics(session))


def _before_flush(session: Session) -> None:
    check_writing(session)
    record_changes(session)


def _before_query(state: ORMExecuteState) -> None:
    limit_reading(state)
    hide(state)
