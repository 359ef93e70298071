"""Calibrates a served model: it embeds the labelled notes, and a head is fitted and kept.

One calibration runs at a time, beside everything else that the model does. It can be followed; if the
server stops in the middle, nothing of it is left.
"""

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from math import isnan
from typing import Literal, get_args

import numpy as np
from pydantic import ValidationError

from service.analysis.calibration.agreement import better_than_fixed, fixed_errors, held_out
from service.analysis.calibration.fitting import Fit, Material, fit_notes
from service.analysis.calibration.notes import shipped_notes
from service.analysis.calibration.ridge import Floats
from service.analysis.score_heads import ScoreHeads
from service.engine.backend import Backend
from service.engine.client import EngineClient
from service.engine.files.atomic_files import require_disk_space
from service.engine.types import ModelInfo, Role
from service.errors import (
    AnswerUnusable,
    Conflict,
    ModelUnavailable,
    NotFound,
    ServiceError,
    StorageUnavailable,
    describe,
)
from service.messages import Text
from service.schemas.calibration import (
    CalibrationFailure,
    CalibrationFigures,
    CalibrationPublic,
    CalibrationState,
    CriterionFigures,
)
from service.schemas.identity import now

CLIENT = "calibration"
# A head takes 40 KB for 1,500 numbers of an embedding, less than 1 MB for any.
HEAD_BYTES = 1_000_000
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Job:
    """`characters` has those of the texts that are done and of all, for an estimate of the time."""

    model: str
    anyway: bool
    state: CalibrationState = "running"
    is_fitting: bool = False
    done: int = 0
    total: int = 0
    characters: tuple[int, int] = (0, 0)
    began: float = 0.0
    failure: CalibrationFailure | None = None
    figures: CalibrationFigures | None = None

    @property
    def seconds_left(self) -> float | None:
        done, total = self.characters
        if self.state != "running" or self.is_fitting or not done:
            return None
        return round((time.monotonic() - self.began) / done * (total - done), 1)


class Calibrations:
    """Models are named as in the catalog, or by a role: `general` is the model that evaluates."""

    def __init__(
        self,
        backend: Backend,
        heads: ScoreHeads,
        material: Callable[[], Material] = lambda: Material.of(*shipped_notes()),
    ) -> None:
        self._backend = backend
        self.heads = heads
        self._material = material
        self._job: _Job | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = threading.Event()

    def start(self, name: str, *, anyway: bool = False) -> CalibrationPublic:
        """Begin in the background; call it in the event loop. `anyway` as in `CalibrationStart`.

        Raises:
            NotFound: no such model is served.
            ModelUnavailable: the model is missing or broken, or there is too little disk space.
            Conflict: another calibration is running, or a head for this model would be of no use.
            StorageUnavailable: the folder of the heads cannot be written.
        """
        model = self._model(name)
        if self._job is not None and self._job.state == "running":
            raise Conflict(
                Text(
                    "A calibration of %(model)s is running. Wait until it is done, or stop it first.",
                    model=self._job.model,
                )
            )
        if model.state in ("absent", "failed"):
            raise ModelUnavailable(model.error or f"The model {model.name} cannot be used.")
        self._check_use(model, anyway)
        self._check_room()
        self._stopping = threading.Event()
        self._job = _Job(model.name, anyway)
        self._task = asyncio.create_task(self._run(self._job, self._stopping))
        return self.report(model.name)

    def report(self, name: str) -> CalibrationPublic:
        """Raises: NotFound if no such model is served."""
        model = self._model(name)
        job = self._job if self._job is not None and self._job.model == model.name else None
        figures = self._stored_figures(model)
        if job is not None and job.state == "failed":
            figures = job.figures or figures
        state: CalibrationState = "none" if figures is None else "done"
        return CalibrationPublic(
            model=model.name,
            scores_from=self._scores_from(model),
            state=state if job is None or job.state == "done" else job.state,
            step=None if job is None or job.state != "running" else _step(job),
            done=job.done if job is not None else 0,
            total=job.total if job is not None else 0,
            seconds_left=job.seconds_left if job is not None else None,
            error=job.failure if job is not None else None,
            is_outdated=figures is None and self.heads.is_for_other_weights(model),
            figures=figures,
        )

    async def remove(self, name: str) -> None:
        """Stop the model's calibration if it is running, and delete its calibrated head.

        Raises: NotFound if no such model is served, or there is nothing to remove.
        """
        model = self._model(name)
        is_known = self._job is not None and self._job.model == model.name
        if is_known:
            await self.close()
            self._job = None
        if not self.heads.remove(model) and not is_known:
            raise NotFound(
                Text("There is no calibration of the model %(name)s.", name=repr(model.name))
            )

    async def close(self) -> None:
        """Stop what is running; nothing of it is kept."""
        self._stopping.set()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, job: _Job, stopping: threading.Event) -> None:
        try:
            await self._calibrate(job, stopping)
            job.state = "done"
        except Exception as error:
            if not isinstance(error, ServiceError):
                _log.exception("The calibration of %s failed", job.model)
            job.failure = CalibrationFailure(**describe(error))
            job.state = "failed"

    async def _calibrate(self, job: _Job, stopping: threading.Event) -> None:
        material = await asyncio.to_thread(self._material)
        vectors, model = await self._embed(job, material.texts())
        job.is_fitting = True

        def go_on() -> None:
            if stopping.is_set():
                raise Conflict(Text("The calibration was stopped."))

        fitted = await asyncio.to_thread(fit_notes, material, vectors, go_on)
        if self._model(model.name).identity != model.identity:
            raise Conflict(
                Text("The model's files have changed in the meantime. Start the calibration again.")
            )
        used = better_than_fixed(fitted.criteria, fitted.predicted, fitted.labels)
        job.figures = _figures(model, material, fitted, used)
        if not used:
            self.heads.remove(model)
            raise AnswerUnusable(
                Text(
                    "No score head was kept: its scores would not be clearly better than giving every "
                    "idea the same one. Scores of this model stay rough."
                )
            )
        head = fitted.head(job.figures.identity).only(used)
        try:
            self.heads.keep(head, _as_stored(job.figures))
        except OSError as error:
            raise _unwritable(self.heads, error) from error

    async def _embed(self, job: _Job, texts: list[str]) -> tuple[Floats, ModelInfo]:
        """A row for each text, and the model whose embeddings they are. Half of its slots stay free."""
        lengths = [len(text) for text in texts]
        job.total, job.characters = len(texts), (0, sum(lengths))
        engine = EngineClient(self._backend, job.model, client=CLIENT)
        rows: list[tuple[float, ...]] = [()] * len(texts)
        places = iter(range(len(texts)))

        async def embed(place: int) -> None:
            rows[place] = (await engine.embed(texts[place])).vector
            job.done += 1
            job.characters = job.characters[0] + lengths[place], job.characters[1]

        async def branch() -> None:
            for place in places:
                await embed(place)

        # Once the model has answered, its identity is known. Loading it does not count as work.
        await embed(next(places))
        model = self._model(job.model)
        self._check_use(model, job.anyway)
        job.began, job.characters = time.monotonic(), (0, sum(lengths[1:]))
        await _all([branch() for _ in range(max(1, model.slots // 2))])
        vectors = np.array(rows, dtype=np.float64)
        if not np.isfinite(vectors).all():
            raise AnswerUnusable(
                Text("The embeddings of this model are not numbers, so it cannot be calibrated.")
            )
        return vectors, model

    def _model(self, name: str) -> ModelInfo:
        models = {model.name: model for model in self._backend.models()}
        if name in models:
            return models[name]
        for role in get_args(Role):
            if name == role:
                return self._backend.model_for(role)
        raise NotFound(
            Text(
                "No model %(name)s is served. There are: %(known)s.",
                name=repr(name),
                known=", ".join(models),
            )
        )

    def _check_use(self, model: ModelInfo, anyway: bool) -> None:
        if model.identity is None:
            raise Conflict(
                Text(
                    "Ideapool cannot know the weights of a model on another server, so it cannot bind a "
                    "score head to them. Calibrate a model of the catalog."
                )
            )
        if "general" not in model.roles:
            raise Conflict(
                Text(
                    "The model %(name)s evaluates nothing. Calibrate %(general)s, which does.",
                    name=model.name,
                    general=self._backend.model_for("general").name,
                )
            )
        if not anyway and model.identity and self.heads.of_catalog(model) is not None:
            raise Conflict(
                Text(
                    "The catalog names a score head that was made for %(name)s, and scores come from "
                    "it. There is nothing to calibrate.",
                    name=model.name,
                )
            )

    def _check_room(self) -> None:
        folder = self.heads.folder
        assert folder is not None
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(self.heads, error) from error
        require_disk_space(folder, HEAD_BYTES, "a score head")

    def _scores_from(self, model: ModelInfo) -> Literal["catalog", "calibration", "digits"] | None:
        if model.identity == "":
            return None
        if self.heads.of_catalog(model) is not None:
            return "catalog"
        return "digits" if self.heads.calibrated(model) is None else "calibration"

    def _stored_figures(self, model: ModelInfo) -> CalibrationFigures | None:
        with suppress(ValidationError):
            return CalibrationFigures.model_validate(self.heads.figures(model))
        return None


async def _all(work: list[Coroutine[None, None, None]]) -> None:
    """Runs all at once; the first error ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except* Exception as failures:
        raise failures.exceptions[0] from failures


def _step(job: _Job) -> Literal["embedding", "fitting"]:
    return "fitting" if job.is_fitting else "embedding"


def _figures(
    model: ModelInfo, material: Material, fitted: Fit, used: tuple[str, ...]
) -> CalibrationFigures:
    criteria = fitted.criteria
    agreement = held_out(criteria, fitted.predicted, fitted.labels, material.labelled)
    fixed = fixed_errors(criteria, fitted.labels)
    correlations = agreement.spearman
    return CalibrationFigures(
        model=model.name,
        identity=model.identity or "",
        made_at=now(),
        notes=agreement.notes,
        subjects=fitted.subjects,
        criteria=[
            CriterionFigures(
                criterion=name,
                error=agreement.error[name],
                fixed_error=fixed[name],
                rank_correlation=None if isnan(correlations[name]) else correlations[name],
                is_used=name in used,
            )
            for name in criteria
        ],
    )


def _as_stored(figures: CalibrationFigures) -> str:
    """JSON with the errors where `ScoreHead.load` looks for them."""
    errors = {one.criterion: one.error for one in figures.criteria}
    stored = figures.model_dump(mode="json") | {"agreement": {"error": errors}}
    return json.dumps(stored, indent=2) + "\n"


def _unwritable(heads: ScoreHeads, error: OSError) -> StorageUnavailable:
    return StorageUnavailable(
        Text(
            "The score head cannot be written to %(folder)s (%(error)s). Check its rights and the disk.",
            folder=heads.folder,
            error=error.strerror or error,
        )
    )
