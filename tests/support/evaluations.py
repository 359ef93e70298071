"""An evaluation as the store takes it."""

from typing import Any

SCORES: dict[str, Any] = {
    "rubric_id": None,
    "criteria": [{"name": "fun", "description": "", "weight": 1.0}],
    "scores": {"fun": 7.0},
    "spread": {"fun": 1.0},
    "overall": 7.0,
    "strengths": [],
    "concerns": [],
    "next_step": "",
    "scoring": {"method": "digits", "calibrated": False, "uncalibrated": ["fun"]},
}
