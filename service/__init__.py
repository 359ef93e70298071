"""Ideapool: an idea board with its own small language models."""

# The one place of the version: the package, the API and the image's label take it from here.
__version__ = "0.1.0"
