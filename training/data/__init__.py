"""Reads sources and prepares the rows that a run learns and is measured on."""
