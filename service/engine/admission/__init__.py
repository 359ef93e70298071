"""Admission: which requests are accepted, and in which order they start."""
