"""The seam between the service and whatever runs the models."""

from collections.abc import AsyncGenerator
from typing import Protocol

from service.engine.types import Event, ModelInfo, Request, Role, Stats


class Backend(Protocol):
    """Runs many requests at a time, as far as its models have slots."""

    async def start(self) -> None:
        """Begin loading; returns at once. Progress is in `models()`."""

    async def close(self) -> None:
        """Cancel what runs and free the models."""

    def submit(self, request: Request) -> AsyncGenerator[Event, None]:
        """Stream the request's events; the last is an `Outcome`.

        Admission is decided at the first `__anext__`, before anything is decoded. Closing the
        generator, or cancelling the task that iterates it, cancels the request.

        Raises:
            EngineBusy: slots and queue are taken.
            ModelUnavailable: the model is unknown, or its file is missing or corrupt.
            PromptTooLong: prompt and `max_tokens` do not fit the model's context.
            InvalidInput: the request cannot be met, such as a score by a remote engine.
            EngineCrashed: the model process died under the request.
            DeadlineExceeded: `timeout_s` has passed; what came until then stands.
        """

    async def cancel(self, request_id: str) -> None:
        """Stop a waiting or running request; its stream ends. Unknown ids are ignored."""

    def model_for(self, role: Role) -> ModelInfo:
        """The model that serves a role.

        Raises:
            ModelUnavailable: no model of the catalog has the role.
        """

    def models(self) -> tuple[ModelInfo, ...]: ...

    def stats(self) -> Stats: ...
