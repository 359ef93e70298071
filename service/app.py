"""The composition root: builds the app from the settings."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.types import Scope

from service import __version__
from service.analysis.board_ideas import BoardIdeas, TopicEmbedding
from service.analysis.board_taste import BoardTaste
from service.analysis.calibration.calibrations import Calibrations
from service.analysis.idea_bank import IdeaBank
from service.analysis.idea_map import IdeaMaps
from service.analysis.likeness import Likeness
from service.analysis.score_heads import ScoreHeads
from service.analysis.scoring import Scorer
from service.analysis.sentence_encoder import SentenceEncoder
from service.analysis.similar_ideas import SimilarIdeas
from service.analysis.word_vectors import WordVectors
from service.backend import build_backend
from service.engine.backend import Backend
from service.errors import ServiceError
from service.ideation.inspirations import Inspirations
from service.ideation.kinds import Ideation
from service.ideation.use_case import Means
from service.live.feeds import BoardFeeds
from service.live.presence import LocalPresence, Presence
from service.live.rights import RightChecks
from service.recurring import Recurring
from service.runs.completions import Completions
from service.runs.leases import RunLeases
from service.runs.service import Runs
from service.schemas.identity import now
from service.served_models import ServedModels
from service.settings import Settings
from service.store import Limits, Store
from service.store.database import Database
from service.store.database_lock import database_lock
from service.store.housekeeping import Housekeeping
from service.store.round_ending import RoundEnding
from service.transfer.background_import import BackgroundImports
from service.transfer.file_reader import FileReader
from service.transfer.pending_uploads import PendingUploads, StoredUploads, UploadFolder
from service.web import api, mcp, openai, openapi, ops, pages, session
from service.web.access import Access
from service.web.addresses import Addresses
from service.web.api.idempotency import RequestsInProgress
from service.web.cookie_rules import CookieRules
from service.web.errors import ErrorResponses
from service.web.failed_sign_ins import FailedSignIns
from service.web.guard import Guard, Rules
from service.web.load_shedding import Lines, LoadShedding
from service.web.mcp import McpEndpoint
from service.web.metrics import Metrics
from service.web.pages.kept_pages import KeptPages
from service.web.readiness import Readiness
from service.web.root_path import RootPath
from service.web.telemetry import Telemetry
from service.web.templating import StaticAssets, Templates
from service.web.visitors import Visitors
from service.webhooks.administration import Webhooks
from service.webhooks.deliverer import Deliverer
from service.webhooks.destinations import Destinations
from service.webhooks.sender import Sender

IDENTITY: dict[str, Any] = {
    "title": "Ideapool",
    "version": __version__,
    "summary": "An idea board with its own small language models.",
    "license_info": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}
# Pages and the OpenAPI document are routes of our own.
NO_DOCUMENTS: dict[str, Any] = {"openapi_url": None, "docs_url": None, "redoc_url": None}
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
# An entity tag identifies the exact bytes of an answer, and clients return those of ideas in If-Match.
UNCOMPRESSED = ("application/json", "application/problem+json")
# Routes are tried in order, so those that must refuse quickly in a burst come first. All apps of a
# process share the router, so that FastAPI analyses the routes only once.
ROUTES = APIRouter()
for _part in (openai, api, ops, mcp, openapi, session, pages):
    ROUTES.include_router(_part.router)
# What a form has beside its file. A file a little over its limit is refused with a better message.
FORM_BYTES = 1024 * 1024
_log = logging.getLogger(__name__)


def create_app(settings: Settings, backend: Backend | None = None) -> FastAPI:
    """Builds the app; `backend` replaces the one that the settings describe."""
    limits = _limits(settings)
    database = Database(settings.sqlalchemy_url)
    store = Store(database, limits)
    metrics, visitors = Metrics(), Visitors(settings, store, FailedSignIns())
    telemetry = Telemetry(settings.otlp_url)
    pool = backend or build_backend(settings)
    served_models = ServedModels(settings, pool)
    vectors, encoder = WordVectors(), SentenceEncoder()
    board_ideas, inspirations = _inspirations(settings, store, encoder)
    tastes = BoardTaste(store, vectors)
    calibrations = Calibrations(pool, ScoreHeads(settings.heads_dir))
    means = Means(
        Scorer(pool, calibrations.heads), settings.run_deadline_s, vectors, inspirations, tastes
    )
    runs = _runs(settings, store, Ideation(store, pool, means), metrics)

    templates = Templates(settings.root_path)
    responses = ErrorResponses(templates)
    app = FastAPI(
        **IDENTITY,
        **NO_DOCUMENTS,
        lifespan=_lifespan,
        telemetry=telemetry.config,
        middleware=_middleware(settings, visitors, responses, metrics),
        exception_handlers=_error_handlers(responses),
        routes=ROUTES.routes,
    )
    for name, value in {
        "settings": settings,
        "database": database,
        "store": store,
        "telemetry": telemetry,
        "board_ideas": board_ideas,
        "runs": runs,
        "feeds": BoardFeeds(store, _presence(store), limit=settings.live_limit),
        "right_checks": RightChecks(store.rights),
        "completions": Completions(pool, ended=metrics.completion_ended),
        "backend": pool,
        "served_models": served_models,
        "requests_in_progress": RequestsInProgress(store.locks),
        **_of_imports(settings, store),
        "metrics": metrics,
        "visitors": visitors,
        **_under_load(store),
        **_readers_of_boards(store, vectors, encoder),
        "inspirations": inspirations,
        "tastes": tastes,
        "calibrations": calibrations,
        "webhooks": Webhooks(store, Destinations(settings.webhook_hosts)),
        "templates": templates,
        **_by_routes(app, settings, store),
    }.items():
        setattr(app.state, name, value)
    app.mount("/static", StaticAssets())
    app.openapi = openapi.describe_api(app, limits)  # type: ignore[method-assign]
    return app


def _by_routes(app: FastAPI, settings: Settings, store: Store) -> dict[str, object]:
    return {
        "addresses": Addresses(app.routes),
        "access": Access(app.routes, store.access),
        "mcp": McpEndpoint(app, body_limit_bytes=settings.body_limit_bytes),
    }


def _under_load(store: Store) -> dict[str, object]:
    return {"lines": Lines(), "readiness": Readiness(store), "kept_pages": KeptPages()}


def _of_imports(settings: Settings, store: Store) -> dict[str, object]:
    reader = FileReader()
    return {
        "file_reader": reader,
        "background_imports": BackgroundImports(store, reader),
        "pending_uploads": _pending_uploads(settings, store),
    }


def _readers_of_boards(
    store: Store, vectors: WordVectors, encoder: SentenceEncoder
) -> dict[str, object]:
    similar_ideas = SimilarIdeas(store, vectors)
    return {
        "similar_ideas": similar_ideas,
        "idea_maps": IdeaMaps(store, vectors, similar_ideas),
        "likeness": Likeness(store, encoder, vectors),
    }


def _limits(settings: Settings) -> Limits:
    return Limits(
        title=settings.title_limit,
        body=settings.idea_limit,
        suggestions=settings.suggestion_limit,
        attachment=settings.attachment_bytes,
        attachments=settings.attachments_bytes,
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state = app.state
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, state.telemetry.close)
        await _open(stack, state.settings, state.database, state.store)
        await stack.enter_async_context(state.store.channel())
        if state.store.is_shared:
            await stack.enter_async_context(state.runs.relay)
        for work in _recurring_work(state.settings, state.store, state.runs, state.board_ideas):
            await stack.enter_async_context(work)
        stack.push_async_callback(state.served_models.close)
        stack.push_async_callback(state.backend.close)
        await state.backend.start()
        asyncio.get_running_loop().run_in_executor(None, state.inspirations.warm_up)
        stack.push_async_callback(state.calibrations.close)
        stack.push_async_callback(_stop, state.runs, state.mcp, state.settings.drain_s)
        stack.push_async_callback(asyncio.to_thread, state.background_imports.close)
        stack.push_async_callback(state.feeds.close)
        yield


def _presence(store: Store) -> Presence:
    return store.presence if store.is_shared else LocalPresence()


def _pending_uploads(settings: Settings, store: Store) -> PendingUploads:
    if store.is_shared:
        return StoredUploads(store.uploads)
    return UploadFolder(settings.data_dir / "imports")


def _inspirations(
    settings: Settings, store: Store, encoder: SentenceEncoder
) -> tuple[BoardIdeas | None, Inspirations]:
    board_ideas = BoardIdeas(store, encoder) if settings.board_ideas else None
    bank = IdeaBank(encoder) if settings.idea_bank else None
    return board_ideas, Inspirations(bank, board_ideas)


def _runs(settings: Settings, store: Store, ideation: Ideation, metrics: Metrics) -> Runs:
    return Runs(
        store,
        ideation,
        limit=settings.queue_limit,
        deadline_s=settings.run_deadline_s,
        ended=metrics.run_ended,
    )


async def _open(
    stack: AsyncExitStack, settings: Settings, database: Database, store: Store
) -> None:
    stack.enter_context(database_lock(database.path))
    stack.callback(database.close)
    await asyncio.to_thread(_prepare, settings, database, store)


def _prepare(settings: Settings, database: Database, store: Store) -> None:
    database.migrate()
    if store.is_shared:
        # Before the first run: whose server has no lease is interrupted.
        store.replicas.renew(settings.replica_name)
        interrupted = store.replicas.end_abandoned()
    else:
        interrupted = store.runs.interrupt_unfinished()
    if interrupted:
        _log.warning("%d runs were interrupted when the server last stopped", interrupted)
    store.boards.ensure_one()


async def _stop(runs: Runs, assistants: McpEndpoint, drain_s: float) -> None:
    """Ends the runs first, because assistants wait for them."""
    await runs.close(drain_s)
    await assistants.close()


def _recurring_work(
    settings: Settings, store: Store, runs: Runs, board_ideas: BoardIdeas | None
) -> Iterator[Recurring]:
    if store.is_shared:
        yield RunLeases(store, runs, name=settings.replica_name)
    yield runs.late_ends
    yield Housekeeping(store, trash_days=settings.trash_days)
    yield RoundEnding(store)
    yield Deliverer(store, Sender(Destinations(settings.webhook_hosts), clock=now))
    if board_ideas is not None:
        yield TopicEmbedding(board_ideas)


def _error_handlers(responses: ErrorResponses) -> dict[int | type[Exception], Any]:
    forms = pages.RefusedForms(responses)
    return {
        HTTPException: responses.handle,
        ServiceError: forms.handle,
        RequestValidationError: forms.handle,
    }


def _middleware(
    settings: Settings, visitors: Visitors, responses: ErrorResponses, metrics: Metrics
) -> list[Middleware]:
    under_path = [Middleware(RootPath, path=settings.root_path)] if settings.root_path else []
    return [
        *under_path,
        Middleware(CookieRules),
        Middleware(Guard, rules=_rules(settings, visitors), respond=responses.respond),
        Middleware(LoadShedding, refused=metrics.request_shed),
        Middleware(
            GZipMiddleware,
            minimum_size=1024,
            compresslevel=6,
            exclude_content_types=(*DEFAULT_EXCLUDED_CONTENT_TYPES, *UNCOMPRESSED),
        ),
    ]


def _rules(settings: Settings, visitors: Visitors) -> Rules:
    return Rules(
        hosts=LOCAL_HOSTS | {settings.host} | {name.lower() for name in settings.allowed_hosts},
        body_limit_bytes=settings.body_limit_bytes,
        import_limit_bytes=settings.import_limit_bytes,
        attachment_limit_bytes=settings.attachment_bytes + FORM_BYTES,
        who=visitors.who,
        check=_check_access,
    )


async def _check_access(scope: Scope) -> None:
    access: Access = scope["app"].state.access
    await access.check(scope)
