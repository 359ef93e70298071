"""Calibration of a model's scores in the API, and the figures that are stored beside a head."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from service.schemas.fields import Shape

CalibrationState = Literal["none", "running", "done", "failed"]


class CalibrationStart(Shape):
    anyway: bool = Field(
        default=False,
        description="Calibrate even if the catalog names a score head that fits the model. Scores go "
        "on coming from that one, but the figures can be compared.",
    )


class CriterionFigures(BaseModel):
    """How well a head scores one criterion, on notes whose subject was left out of its fit."""

    criterion: str = Field(examples=["novelty"])
    error: float = Field(description="The mean error, in points of the score.", examples=[1.6])
    fixed_error: float = Field(
        description="The mean error of giving every note the same score, the best one for that.",
        examples=[1.9],
    )
    rank_correlation: float | None = Field(
        description="Spearman's, of scores and labels; null if all scores are the same.",
        examples=[0.42],
    )
    is_used: bool = Field(
        description="Whether the error is clearly smaller than that of one score for all. If not, the "
        "head leaves the criterion out, and its scores stay rough.",
        examples=[True],
    )


class CalibrationFigures(BaseModel):
    """What was measured when a head was fitted. `identity` is that of the model."""

    model: str
    identity: str
    made_at: datetime
    notes: int = Field(examples=[540])
    subjects: int = Field(examples=[386])
    criteria: list[CriterionFigures]


class CalibrationFailure(BaseModel):
    type: str = Field(examples=["model-unavailable"])
    detail: str


class CalibrationPublic(BaseModel):
    """A model's calibration. `figures` are of the calibrated head, or of one that was just refused."""

    model: str
    scores_from: Literal["catalog", "calibration", "digits"] | None = Field(
        description="Where scores for the usual criteria come from: the catalog's score head, the "
        "calibrated one, or the model's digits, which are rough. Null while the model is not loaded."
    )
    state: CalibrationState
    step: Literal["embedding", "fitting"] | None = Field(description="What is under way.")
    done: int = Field(description="Texts that the model has read.", examples=[120])
    total: int = Field(examples=[810])
    seconds_left: float | None = Field(
        description="Until all texts are read; null while that is not known.", examples=[95.0]
    )
    error: CalibrationFailure | None
    is_outdated: bool = Field(
        description="Whether there is a head for former weights of this model. It is not used."
    )
    figures: CalibrationFigures | None
