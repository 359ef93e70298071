"""Runs named queries, and is the only package that builds SQL.

Every method is one short transaction.
"""

from contextlib import AbstractAsyncContextManager, nullcontext

from sqlalchemy.orm import ORMExecuteState
from sqlmodel import Session

from service.schemas.identity import new_id
from service.signals import Signals
from service.store.access import AccessStore, check_writing, limit_reading
from service.store.activity import ActivityStore, changed_topics, record_changes
from service.store.announcements import announced
from service.store.archive import ArchiveStore
from service.store.attachments import AttachmentStore
from service.store.boards import BoardStore
from service.store.bulk_changes import BulkChangeStore
from service.store.comments import CommentStore
from service.store.comparisons import ComparisonStore
from service.store.database import Database
from service.store.deliveries import DeliveryStore
from service.store.dialects.channel import Channel, notify
from service.store.evaluations import EvaluationStore
from service.store.file_imports import FileImportStore
from service.store.hidden_ideas import hide
from service.store.idea_search import IdeaSearchStore
from service.store.ideas import IdeaStore
from service.store.invitations import InvitationStore
from service.store.keyed_answers import KeyedAnswerStore
from service.store.keys import KeyStore
from service.store.likes import LikeStore
from service.store.limits import Limits
from service.store.lineage import LineageStore
from service.store.moments import MomentStore
from service.store.overview import OverviewStore
from service.store.own_runs import OwnRuns
from service.store.people import PersonStore
from service.store.places import PlaceStore
from service.store.presence import PresenceStore
from service.store.refinements import RefinementStore
from service.store.replicas import ReplicaStore
from service.store.rights import RightStore
from service.store.rounds import RoundStore
from service.store.rubrics import RubricStore
from service.store.run_events import RunEventStore
from service.store.runs import RunStore
from service.store.shared_links import SharedLinkStore
from service.store.starters import StarterStore
from service.store.suggestions import SuggestionStore
from service.store.taste import TasteStore
from service.store.text_import import TextImportStore
from service.store.topics import TopicStore
from service.store.trash import TrashStore
from service.store.uploads import UploadStore
from service.store.webhooks import WebhookStore

__all__ = ["Limits", "Store"]


class Store:
    """`replica_id` names this server among those on its database."""

    def __init__(self, database: Database, limits: Limits) -> None:
        self.limits = limits
        self.replica_id = new_id()
        self.is_shared = database.is_shared
        self.signals = Signals()
        self._share(database)
        self._know_people(database, limits)
        database.observe(
            before_flush=_before_flush,
            before_commit=self._tell_others,
            after_commit=self._announce,
            before_query=_before_query,
        )
        self.boards = BoardStore(database, limits)
        self.ideas = IdeaStore(database, limits)
        self.search = IdeaSearchStore(database)
        self.changes = BulkChangeStore(database)
        self.places = PlaceStore(database, self.ideas)
        self.trash = TrashStore(database)
        own_runs = OwnRuns(self.replica_id)
        self.runs = RunStore(database, own_runs)
        self.refinements = RefinementStore(database, self.ideas)
        self.suggestions = SuggestionStore(database, limits, self.ideas, own_runs)
        self.comparisons = ComparisonStore(database, own_runs)
        self.rounds = RoundStore(database, limits)
        self.rubrics = RubricStore(database, limits)
        self.evaluations = EvaluationStore(database, own_runs)
        self.keyed_answers = KeyedAnswerStore(database)
        self.lineage = LineageStore(database)
        self.overview = OverviewStore(database)
        self.archive = ArchiveStore(database, limits)
        self.topics = TopicStore(database)
        self.taste = TasteStore(database)
        self.text_import = TextImportStore(database, limits, self.ideas)
        self.starters = StarterStore(database, limits)

    def _know_people(self, database: Database, limits: Limits) -> None:
        """Who may do what, what people add to ideas, what happened, and who else is told."""
        self.keys = KeyStore(database)
        self.people = PersonStore(database)
        self.invitations = InvitationStore(database)
        self.access = AccessStore(database)
        self.rights = RightStore(database)
        self.likes = LikeStore(database)
        self.comments = CommentStore(database)
        self.attachments = AttachmentStore(database, limits)
        self.shared_links = SharedLinkStore(database)
        self.webhooks = WebhookStore(database)
        self.deliveries = DeliveryStore(database)
        self.activity = ActivityStore(database)
        self.moments = MomentStore(database, self.activity)

    def _share(self, database: Database) -> None:
        """What several servers on the database need of each other."""
        self.locks = database.locks
        self.try_write, self.has_failed = database.try_write, database.has_failed
        self.one_view = database.one_view
        self._listening = database.dialect.listening()
        self.replicas = ReplicaStore(database, self.replica_id)
        self.run_events = RunEventStore(database)
        self.presence = PresenceStore(database, self.replica_id)
        self.uploads = UploadStore(database)
        self.file_imports = FileImportStore(database)

    def channel(self) -> AbstractAsyncContextManager[object]:
        """Wakes who waits here for what other servers on the database do, while it is open."""
        if self._listening is None:
            return nullcontext()
        return Channel(
            self._listening,
            self.replica_id,
            heard=lambda topic: self.signals.announce([topic]),
            missed=self.signals.announce_all,
        )

    def _tell_others(self, session: Session) -> None:
        if self.is_shared:
            notify(session, self.replica_id, _topics(session))

    def _announce(self, session: Session) -> None:
        self.signals.announce(_topics(session))


def _topics(session: Session) -> set[str]:
    return changed_topics(session) | announced(session)


def _before_flush(session: Session) -> None:
    check_writing(session)
    record_changes(session)


def _before_query(state: ORMExecuteState) -> None:
    limit_reading(state)
    hide(state)
