"""Measures a served model: its ideas, refinements, scores and likelihoods, and blind readings."""
