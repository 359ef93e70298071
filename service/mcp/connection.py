"""How tools, resources and prompts reach the REST API, and how its errors reach the assistant."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol, TypeVar

from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR
from pydantic import BaseModel, ValidationError

from service.api_client.rest import Rest
from service.errors import ServerRefused, ServerUnreachable, ServiceError

Shape = TypeVar("Shape", bound=BaseModel)


class Connection(Protocol):
    async def rest(self) -> Rest:
        """A client for the message that is being answered. Raises: ServiceError if there is none."""
        ...

    async def close(self) -> None:
        """Called when the server does not answer; the next `rest` may connect anew."""
        ...


@asynccontextmanager
async def errors_told(
    connection: Connection, refusal: Callable[[ServiceError], Exception]
) -> AsyncIterator[None]:
    """Raises what `refusal` makes of the block's ServiceError: an error of the protocol."""
    try:
        yield
    except ServiceError as error:
        if isinstance(error, ServerUnreachable):
            with suppress(ServiceError):
                await connection.close()
        raise refusal(error) from error


def failed(error: ServiceError) -> MCPError:
    """The protocol's error for what is neither a tool nor a resource."""
    return MCPError(code=INTERNAL_ERROR, message=error.detail)


def read(shape: type[Shape], answer: Any) -> Shape:
    """Raises: ServerRefused if the server is of another version, whose answers look different."""
    try:
        return shape.model_validate(answer)
    except ValidationError as error:
        raise ServerRefused(
            "The server's answer does not look as expected. Is it another version of Ideapool?"
        ) from error
