"""Exports an adapter to files that the service loads, and writes the cards of models."""
