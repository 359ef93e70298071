"""Finds out which addresses a browser can load as pages."""

import re
from collections.abc import Sequence
from functools import cached_property

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, compile_path


class Addresses:
    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = routes

    def page(self, path: str) -> str:
        """Returns the path if it can be loaded, or else the nearest page above it.

        For example, `/boards/7/bulk` only receives forms, so its page is `/boards/7`.
        """
        while path != "/" and not any(pattern.fullmatch(path) for pattern in self._patterns):
            path = path.rpartition("/")[0] or "/"
        return path

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        """Made at the first use, because FastAPI resolves its routes at the first request."""
        return [
            compile_path(route.path)[0]
            for route in iter_route_contexts(self._routes)
            if route.path is not None and "GET" in (route.methods or ())
        ]
