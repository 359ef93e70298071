"""Routes that calibrate a model: they fit a score head to labelled notes as the model embeds them."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Response, status

from service.schemas.calibration import CalibrationPublic, CalibrationStart
from service.web.api.shared import problems
from service.web.dependencies import CalibrationsDep

ModelName = Annotated[
    str,
    Path(
        min_length=1,
        max_length=200,
        description="A model's name, or a role; `general` is the model that evaluates.",
        examples=["general"],
    ),
]
router = APIRouter(prefix="/models/{name}/calibration", tags=["evaluation"])


@router.post(
    "",
    operation_id="calibrateModel",
    summary="Calibrate a model, so that its scores are not rough",
    description="Begins in the background, beside what else the model does, and takes minutes: follow "
    "it with `getCalibration`. The model reads the labelled notes that come with Ideapool, and a score "
    "head is fitted to them. Evaluations use it as soon as it is done. A criterion whose scores are not "
    "clearly better than one score for all is left out. If that leaves none, the calibration fails. "
    "One model is calibrated at a time.",
    status_code=status.HTTP_202_ACCEPTED,
    responses=problems(404, 409, 503),
)
async def calibrate_model(
    name: ModelName,
    calibrations: CalibrationsDep,
    response: Response,
    shape: CalibrationStart | None = None,
) -> CalibrationPublic:
    begun = calibrations.start(name, anyway=shape is not None and shape.anyway)
    response.headers["Location"] = f"/api/v1/models/{quote(begun.model, safe='')}/calibration"
    return begun


@router.get(
    "",
    operation_id="getCalibration",
    summary="Get the progress and the figures of a model's calibration",
    responses=problems(404, 503),
)
def get_calibration(name: ModelName, calibrations: CalibrationsDep) -> CalibrationPublic:
    return calibrations.report(name)


@router.delete(
    "",
    operation_id="deleteCalibration",
    summary="Stop a model's calibration, or delete its calibrated score head",
    description="Scores that ideas already have stay as they are.",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(404, 503),
)
async def delete_calibration(name: ModelName, calibrations: CalibrationsDep) -> None:
    await calibrations.remove(name)
