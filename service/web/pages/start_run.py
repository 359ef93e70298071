"""Validates the fields of a form as a task and starts it as a run."""

import re
from typing import Any, TypeVar
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from service.runs.service import Runs
from service.schemas.fields import Shape
from service.schemas.runs import Task
from service.web.pages.idempotency import Once
from service.web.pages.responses import current_address

ShapeT = TypeVar("ShapeT", bound=Shape)


def validate_as(shape: type[ShapeT], **fields: Any) -> ShapeT:
    """Raises: RequestValidationError, as a body of the API with these fields would."""
    try:
        return shape.model_validate(fields)
    except ValidationError as error:
        found = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        raise RequestValidationError(found) from error


class RunStarter:
    def __init__(self, request: Request, runs: Runs, once: Once) -> None:
        self._runs = runs
        self._once = once
        self._client = request.client.host if request.client else ""

    async def start(self, task: Task, *, redraws: str | None = None) -> str:
        """Returns the id of the run. `redraws` as in `NewRun`.

        Raises: what `Runs.start` raises.
        """

        async def begin() -> str:
            run = await self._runs.start(task, client=self._client, redraws=redraws)
            return run.run_id

        return await self._once.do(
            f"{self._client} {redraws} {task!r}", begin, is_current=self._is_under_way
        )

    def _is_under_way(self, run_id: str) -> bool:
        """A run that has ended was repeated on purpose, however soon."""
        live = self._runs.live(run_id)
        return live is not None and not live.is_over


def brainstorm_address(request: Request, board_id: str | None, run_id: str) -> str:
    """The board with the run if the form was on the board, or else the page of the run."""
    is_on_board = re.fullmatch(r"/boards/[^/]+", urlsplit(current_address(request, "/")).path)
    return f"/boards/{board_id}?run={run_id}" if is_on_board else f"/runs/{run_id}"
