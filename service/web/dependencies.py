"""Dependencies of routes, as annotated types; the objects are in the state of the app.

The functions are async because FastAPI runs other functions in a thread of its pool, which would
make it too expensive to refuse a request.
"""

from typing import Annotated, cast

from fastapi import Depends, Request

from service.actor import acting_person_id
from service.analysis.board_taste import BoardTaste
from service.analysis.calibration.calibrations import Calibrations
from service.analysis.idea_map import IdeaMaps
from service.analysis.likeness import Likeness
from service.analysis.similar_ideas import SimilarIdeas
from service.engine.backend import Backend
from service.ideation.inspirations import Inspirations
from service.live.feeds import BoardFeeds
from service.live.rights import RightChecks
from service.runs.completions import Completions
from service.runs.service import Runs
from service.served_models import ServedModels
from service.settings import Settings
from service.store import Store
from service.transfer.background_import import BackgroundImports
from service.transfer.file_reader import FileReader
from service.transfer.pending_uploads import PendingUploads
from service.web.metrics import Metrics
from service.web.readiness import Readiness
from service.webhooks.administration import Webhooks


async def _store(request: Request) -> Store:
    return cast(Store, request.app.state.store)


async def _runs(request: Request) -> Runs:
    return cast(Runs, request.app.state.runs)


async def _feeds(request: Request) -> BoardFeeds:
    return cast(BoardFeeds, request.app.state.feeds)


async def _right_checks(request: Request) -> RightChecks:
    return cast(RightChecks, request.app.state.right_checks)


async def _completions(request: Request) -> Completions:
    return cast(Completions, request.app.state.completions)


async def _backend(request: Request) -> Backend:
    return cast(Backend, request.app.state.backend)


async def _similar_ideas(request: Request) -> SimilarIdeas:
    return cast(SimilarIdeas, request.app.state.similar_ideas)


async def _idea_maps(request: Request) -> IdeaMaps:
    return cast(IdeaMaps, request.app.state.idea_maps)


async def _likeness(request: Request) -> Likeness:
    return cast(Likeness, request.app.state.likeness)


async def _inspirations(request: Request) -> Inspirations:
    return cast(Inspirations, request.app.state.inspirations)


async def _tastes(request: Request) -> BoardTaste:
    return cast(BoardTaste, request.app.state.tastes)


async def _served_models(request: Request) -> ServedModels:
    return cast(ServedModels, request.app.state.served_models)


async def _calibrations(request: Request) -> Calibrations:
    return cast(Calibrations, request.app.state.calibrations)


async def _settings(request: Request) -> Settings:
    return cast(Settings, request.app.state.settings)


async def _metrics(request: Request) -> Metrics:
    return cast(Metrics, request.app.state.metrics)


async def _readiness(request: Request) -> Readiness:
    return cast(Readiness, request.app.state.readiness)


async def _pending_uploads(request: Request) -> PendingUploads:
    return cast(PendingUploads, request.app.state.pending_uploads)


async def _file_reader(request: Request) -> FileReader:
    return cast(FileReader, request.app.state.file_reader)


async def _background_imports(request: Request) -> BackgroundImports:
    return cast(BackgroundImports, request.app.state.background_imports)


async def _webhooks(request: Request) -> Webhooks:
    return cast(Webhooks, request.app.state.webhooks)


async def _origin(request: Request) -> str:
    """Where the client reaches the server, for links that leave it."""
    settings = cast(Settings, request.app.state.settings)
    return f"{request.url.scheme}://{request.url.netloc}{settings.root_path}"


async def _client(request: Request) -> str:
    """The client for fair queueing: all requests of one person, or of one address, share its turns."""
    return acting_person_id() or (request.client.host if request.client else "")


PendingUploadsDep = Annotated[PendingUploads, Depends(_pending_uploads)]
FileReaderDep = Annotated[FileReader, Depends(_file_reader)]
BackgroundImportsDep = Annotated[BackgroundImports, Depends(_background_imports)]
StoreDep = Annotated[Store, Depends(_store)]
RunsDep = Annotated[Runs, Depends(_runs)]
FeedsDep = Annotated[BoardFeeds, Depends(_feeds)]
RightChecksDep = Annotated[RightChecks, Depends(_right_checks)]
CompletionsDep = Annotated[Completions, Depends(_completions)]
BackendDep = Annotated[Backend, Depends(_backend)]
SimilarIdeasDep = Annotated[SimilarIdeas, Depends(_similar_ideas)]
IdeaMapsDep = Annotated[IdeaMaps, Depends(_idea_maps)]
LikenessDep = Annotated[Likeness, Depends(_likeness)]
InspirationsDep = Annotated[Inspirations, Depends(_inspirations)]
TastesDep = Annotated[BoardTaste, Depends(_tastes)]
ServedModelsDep = Annotated[ServedModels, Depends(_served_models)]
CalibrationsDep = Annotated[Calibrations, Depends(_calibrations)]
SettingsDep = Annotated[Settings, Depends(_settings)]
ReadinessDep = Annotated[Readiness, Depends(_readiness)]
MetricsDep = Annotated[Metrics, Depends(_metrics)]
WebhooksDep = Annotated[Webhooks, Depends(_webhooks)]
OriginDep = Annotated[str, Depends(_origin)]
ClientDep = Annotated[str, Depends(_client)]
