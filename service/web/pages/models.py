"""The page of the models to choose from, and the banner about missing or loading ones."""

from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response

from service.analysis.calibration.calibrations import Calibrations
from service.engine.types import Role
from service.errors import ModelUnavailable, NotFound
from service.health import ENGINE_STATES
from service.messages import Text
from service.served_models import ServedModels
from service.web.dependencies import CalibrationsDep, ServedModelsDep
from service.web.pages.responses import Flash, redirect, render, targets_element

PAGE = "/models"
# What a page reloads alone, by the id of the element.
PARTS = {"model-sets": "models/_sets.html", "engines": "models/_engines.html"}
# The role whose model gives the scores.
EVALUATES: Role = "general"
router = APIRouter(prefix=PAGE)


@router.get("")
def show_models(
    request: Request, models: ServedModelsDep, calibrations: CalibrationsDep
) -> Response:
    """Pages reload the banner alone while models load."""
    if targets_element(request, "models"):
        return render(request, "shared/_models.html", {"was_awaited": True})
    part = next((PARTS[name] for name in PARTS if targets_element(request, name)), None)
    return render(request, part or "models/models.html", _context(models, calibrations))


def _context(models: ServedModels, calibrations: Calibrations) -> dict[str, Any]:
    scores = None
    with suppress(NotFound, ModelUnavailable):
        scores = calibrations.report(EVALUATES)
    return {
        "models": models.describe(),
        "engine_states": ENGINE_STATES,
        "measuring_error": models.measuring_error,
        "scores": scores,
    }


@router.post("")
async def serve(name: Annotated[str, Form(max_length=100)], models: ServedModelsDep) -> Response:
    was_changing = models.change is not None
    await models.switch(name)
    if name != models.served:
        notice = Text(
            "“%(name)s” is on its way. The models in use answer until it is here.", name=name
        )
    elif was_changing:
        notice = Text("“%(name)s” stays.", name=name)
    else:
        notice = Text("“%(name)s” answers already.", name=name)
    return redirect(PAGE, Flash(notice))


@router.post("/speed")
async def measure(models: ServedModelsDep) -> Response:
    models.measure()
    return redirect(
        PAGE, Flash(Text("Measuring takes some seconds. Answers are slower meanwhile."))
    )


@router.post("/calibration")
async def calibrate(calibrations: CalibrationsDep) -> Response:
    calibrations.start(EVALUATES)
    return redirect(PAGE, Flash(Text("Calibrating. Answers are slower meanwhile.")))


@router.post("/calibration/delete")
async def stop_or_delete(calibrations: CalibrationsDep) -> Response:
    await calibrations.remove(EVALUATES)
    return redirect(PAGE, Flash(Text("Removed. Scores that ideas have stay as they are.")))
