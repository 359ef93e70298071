"""The tables of the database. `service.schemas` has the requests and answers of the API."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from service.actor import acting_person_id
from service.schemas.identity import new_id, now
from service.store.columns import UtcDateTime


def _json_column() -> Any:
    return Field(default=None, sa_column=Column(JSON, nullable=True))


def _author_column() -> Any:
    """Of the person who made a row; null for whoever needs no name."""
    return Field(
        default_factory=acting_person_id,
        sa_column=Column(ForeignKey("person.id"), nullable=True, index=True),
    )


def _sparse_index(name: str, column: str) -> Index:
    """Of a column that is null in most rows."""
    is_set = text(f"{column} IS NOT NULL")
    return Index(name, column, sqlite_where=is_set, postgresql_where=is_set)


class Board(SQLModel, table=True):
    """`learns` says that suggestions are ordered by the taste of the people on the board; of what was
    decided before `taste_since`, nothing is learnt. With `people_first`, models make suggestions only
    after the board's first writing round.
    """

    id: str = Field(default_factory=new_id, primary_key=True)
    name: str
    goal: str = ""
    language: str = ""
    learns: bool = True
    people_first: bool = False
    taste_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    updated_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Idea(SQLModel, table=True):
    """`number` orders ideas by creation and is the row id of the full-text index.

    `version` counts texts and is the number of an IdeaVersion. `revision` counts every change and is
    the entity tag. `score` is a copy of the newest evaluation's overall score by the rubric that the
    board shows, to sort by; `scored_version` is the version that it belongs to. `lost_parent_id` is a
    parent that was deleted for good. `round_id` is the writing round that hides it until it ends.
    `place` is the idea's place in the order that people give a board, the highest first.
    """

    __table_args__ = (
        Index("ix_idea_board_new", "board_id", "deleted_at", "number"),
        Index("ix_idea_board_updated", "board_id", "deleted_at", "updated_at", "number"),
        Index("ix_idea_board_score", "board_id", "deleted_at", "score", "number"),
        Index("ix_idea_board_title", "board_id", "deleted_at", "title_key", "number"),
        Index("ix_idea_board_place", "board_id", "deleted_at", "place", "number"),
        _sparse_index("ix_idea_deleted_at", "deleted_at"),
        _sparse_index("ix_idea_lost_parent_id", "lost_parent_id"),
    )

    number: int | None = Field(default=None, primary_key=True)
    id: str = Field(default_factory=new_id, unique=True, index=True)
    board_id: str = Field(foreign_key="board.id")
    title: str
    title_key: str = Field(description="Case-folded title, to sort by.")
    body: str = ""
    status: str = "draft"
    star: bool = False
    parent_id: str | None = Field(default=None, foreign_key="idea.id", index=True)
    lost_parent_id: str | None = None
    round_id: str | None = Field(
        default=None, sa_column=Column(ForeignKey("writing_round.id"), nullable=True, index=True)
    )
    origin: str = "human"
    place: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    version: int = 1
    revision: int = 1
    person_id: str | None = _author_column()
    score: float | None = None
    scored_version: int | None = None
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    updated_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)

    @property
    def is_stale(self) -> bool:
        return self.score is not None and self.scored_version != self.version


class IdeaTag(SQLModel, table=True):
    __tablename__ = "idea_tag"

    idea_number: int = Field(foreign_key="idea.number", primary_key=True)
    name: str = Field(primary_key=True, index=True)


class Change(SQLModel, table=True):
    """What one operation did to several ideas, kept for a day so that it can be undone.

    `value` is the requested value. `before` has the replaced value by idea id, or the tags that were
    really added or removed.
    """

    id: str = Field(default_factory=new_id, primary_key=True)
    operation: str
    value: Any = _json_column()
    before: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime, index=True)
    undone_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class IdeaVersion(SQLModel, table=True):
    __tablename__ = "idea_version"
    __table_args__ = (UniqueConstraint("idea_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    idea_id: str = Field(foreign_key="idea.id", index=True)
    number: int
    title: str
    body: str
    origin: str = "human"
    person_id: str | None = _author_column()
    run_id: str | None = Field(default=None, foreign_key="run.id", index=True)
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class Run(SQLModel, table=True):
    """One piece of work of a model, with its inputs, its provenance and its output.

    `request` is the caller's request, `prompts` are the chats that the model read, and `result` is the
    answer in the API's form. `decision` says whether a refinement was accepted or rejected.
    `replica_id` is that of the server which performs it.
    """

    __table_args__ = (
        Index("ix_run_idea", "idea_id", "created_at"),
        Index("ix_run_board_new", "board_id", "created_at", "id"),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    kind: str
    status: str = Field(default="queued", index=True)
    board_id: str | None = Field(default=None, foreign_key="board.id", index=True)
    idea_id: str | None = Field(default=None, foreign_key="idea.id")
    idea_version: int | None = None
    request: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    model: str = ""
    weights_sha256: str = ""
    adapter_sha256: str | None = None
    seed: int = 0
    prompts: list[Any] | None = _json_column()
    result: dict[str, Any] | None = _json_column()
    usage: dict[str, Any] | None = _json_column()
    timing: dict[str, Any] | None = _json_column()
    error: dict[str, Any] | None = _json_column()
    decision: str = "open"
    person_id: str | None = _author_column()
    replica_id: str | None = None
    stop_requested_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Suggestion(SQLModel, table=True):
    """`redrawn_in` is the run that replaced the suggestion by another one. `written_for` is the topic
    that an idea of the bank or of another board was written for, `likeness` the cosine of that to the
    run's topic; `copied_from` is the latter. `fit` is the probability that people keep it, by what the board had learnt when it was made.
    """

    id: str = Field(default_factory=new_id, primary_key=True)
    run_id: str = Field(foreign_key="run.id", index=True)
    position: int
    angle: str
    title: str
    text: str
    similar_to: str | None = Field(
        default=None, sa_column=Column(ForeignKey("idea.id"), nullable=True, index=True)
    )
    state: str = "open"
    idea_id: str | None = Field(default=None, foreign_key="idea.id", index=True)
    redrawn_in: str | None = Field(default=None, foreign_key="run.id", index=True)
    origin: str = "model"
    written_for: str | None = None
    copied_from: str | None = Field(
        default=None, sa_column=Column(ForeignKey("idea.id"), nullable=True, index=True)
    )
    likeness: float | None = None
    fit: float | None = None
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class TopicVector(SQLModel, table=True):
    """The vector of a topic that ideas were written for; `key` is the hash of its text.

    `vector` has float16 numbers in little-endian order, `encoder` is the hash of what made them.
    """

    __tablename__ = "topic_vector"

    key: str = Field(primary_key=True)
    encoder: str
    vector: bytes


class Rubric(SQLModel, table=True):
    """A board's own criteria, each `{name, description, weight}`; `revision` is the entity tag.

    `is_shown` says that the board's cards show the scores by this rubric; one of a board's at most.
    """

    id: str = Field(default_factory=new_id, primary_key=True)
    board_id: str = Field(foreign_key="board.id", index=True)
    name: str
    criteria: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    is_shown: bool = False
    revision: int = 1
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    updated_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Evaluation(SQLModel, table=True):
    """The evaluation of one version of an idea; it is stale once the idea has a newer version.

    `criteria` are the rubric's at that time. `uncalibrated` names those that no score head scored.
    """

    id: str = Field(default_factory=new_id, primary_key=True)
    run_id: str = Field(foreign_key="run.id", index=True)
    idea_id: str = Field(foreign_key="idea.id", index=True)
    idea_version: int
    rubric_id: str | None = Field(default=None, foreign_key="rubric.id")
    criteria: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    scores: dict[str, float] = Field(sa_column=Column(JSON, nullable=False))
    spread: dict[str, float | None] = Field(sa_column=Column(JSON, nullable=False))
    overall: float
    method: str
    calibrated: bool
    uncalibrated: list[str] = Field(sa_column=Column(JSON, nullable=False))
    strengths: list[str] = Field(sa_column=Column(JSON, nullable=False))
    concerns: list[str] = Field(sa_column=Column(JSON, nullable=False))
    next_step: str
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class Comparison(SQLModel, table=True):
    """Which of two ideas came first, and the version of each that was read.

    `probability` is the model's probability that the first idea comes first, averaged over both
    orders. People's comparisons have none.
    """

    __table_args__ = (Index("ix_comparison_board", "board_id", "by", "created_at"),)

    id: str = Field(default_factory=new_id, primary_key=True)
    board_id: str = Field(foreign_key="board.id")
    first_id: str = Field(foreign_key="idea.id", index=True)
    first_version: int
    second_id: str = Field(foreign_key="idea.id", index=True)
    second_version: int
    outcome: str
    by: str
    person_id: str | None = _author_column()
    probability: float | None = None
    run_id: str | None = Field(default=None, foreign_key="run.id", index=True)
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class KeyedAnswer(SQLModel, table=True):
    """The answer to a request that came with an `Idempotency-Key`, kept for a day.

    `id` is the hash of the caller and the key, `fingerprint` that of the request. A request that
    started a run has only its `run_id`. `body` is null, too, if it was too long to keep, or if
    something in it was deleted for good.
    """

    __tablename__ = "keyed_answer"

    id: str = Field(primary_key=True)
    fingerprint: str
    run_id: str | None = None
    status: int = 200
    headers: dict[str, str] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    body: str | None = None
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime, index=True)


class ApiKey(SQLModel, table=True):
    """Only the SHA-256 of a key is kept; a key has 256 random bits, so it needs no slow hash.

    A session that was opened with a key has the id of the key in `opened_with`, and its scope.
    """

    __tablename__ = "api_key"

    id: str = Field(default_factory=new_id, primary_key=True)
    kind: str = Field(default="key", description="`key`, or `session` for a signed-in browser.")
    name: str
    person_id: str | None = Field(default=None, foreign_key="person.id", index=True)
    sha256: str = Field(unique=True, index=True)
    opened_with: str | None = None
    scope: str = Field(default="admin", description="`read`, `write` or `admin`.")
    created_at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
