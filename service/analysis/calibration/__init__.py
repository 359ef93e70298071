"""Calibration: fits a score head to labelled notes, for a model of the user's own."""
