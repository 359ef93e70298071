"""The interface between the service and the engines that run the models."""

from collections.abc import AsyncGenerator
from typing import Protocol

from service.engine.types import Event, ModelInfo, Request, Role, Stats


class Backend(Protocol):
    """Runs as many requests at a time as its models have slots."""

    async def start(self) -> None:
        """Start loading the models, and return at once. `models` has the progress."""

    async def close(self) -> None:
        """Cancel all requests and free the models."""

    def submit(self, request: Request) -> AsyncGenerator[Event, None]:
        """Stream the events of a request; the last one is an `Outcome`.

        The first `__anext__` decides whether the request is accepted, before anything is decoded.
        Closing the generator, or cancelling the task that iterates it, cancels the request.

        Raises:
            EngineBusy: all slots and all places in the queue are taken.
            ModelUnavailable: the model is unknown, or its file is missing or corrupt.
            PromptTooLong: prompt and `max_tokens` do not fit the model's context.
            InvalidInput: the request cannot be fulfilled, such as a score by a remote engine.
            EngineCrashed: the model process stopped while it worked on the request.
            DeadlineExceeded: `timeout_s` has passed; the events so far are valid.
        """

    async def cancel(self, request_id: str) -> None:
        """Stop a waiting or running request and end its stream. Unknown ids are ignored."""

    def model_for(self, role: Role) -> ModelInfo:
        """The model that serves a role.

        Raises:
            ModelUnavailable: no model of the catalog has the role.
        """

    def models(self) -> tuple[ModelInfo, ...]: ...

    def stats(self) -> Stats: ...
