"""Ideapool: an idea board with its own small language models."""
