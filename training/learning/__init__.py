"""Trains an adapter from rows: the base, tokens, losses and the trainer."""
