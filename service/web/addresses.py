"""Tells which addresses are pages, that is, which ones a browser may load."""

import re
from collections.abc import Sequence
from functools import cached_property

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, compile_path


class Addresses:
    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = routes

    def page(self, path: str) -> str:
        """The path itself, if it can be loaded, or the nearest page above it: `/boards/7` for
        `/boards/7/bulk`, to which forms are only sent.
        """
        while path != "/" and not any(pattern.fullmatch(path) for pattern in self._patterns):
            path = path.rpartition("/")[0] or "/"
        return path

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        """Not made at once: FastAPI resolves its routes only when the first request comes."""
        return [
            compile_path(route.path)[0]
            for route in iter_route_contexts(self._routes)
            if route.path is not None and "GET" in (route.methods or ())
        ]
