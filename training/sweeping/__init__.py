"""Trains many settings on the same rows and ranks them."""
