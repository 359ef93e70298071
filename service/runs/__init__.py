"""Runs: their life, their events, and chat completions beside them."""
