"""One call of a completion: who asks, for which model, and how the OpenAPI document describes it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import BaseModel

from service.engine.backend import Backend
from service.settings import Settings
from service.web.dependencies import BackendDep, ClientDep, SettingsDep
from service.web.openai.models import NO_MODEL, find_model
from service.web.watching import Reader, ReaderDep


@dataclass(frozen=True, slots=True)
class Exchange:
    """`id` is that of the answer, `created` the Unix time of the call."""

    id: str
    created: int
    model: str
    client: str
    deadline_s: float
    takes_grammars: bool


class Caller:
    def __init__(
        self, request: Request, backend: Backend, settings: Settings, client: str, reader: Reader
    ) -> None:
        self.request = request
        self.reader = reader
        self._backend = backend
        self._settings = settings
        self._client = client

    def exchange(self, kind: str, model: str) -> Exchange:
        """`kind` is how OpenAI's ids of such answers begin. Raises NotFound for unknown models."""
        return Exchange(
            id=f"{kind}{self.request.state.request_id}",
            created=int(time.time()),
            model=find_model(self._backend, model).name,
            client=self._client,
            deadline_s=self._settings.run_deadline_s,
            takes_grammars=self._settings.client_grammars,
        )


def queue_client(client: str, user: str | None) -> str:
    """Whose turns in the queue a request shares."""
    return client if user is None else f"{client} {user}"


async def _caller(
    request: Request,
    backend: BackendDep,
    settings: SettingsDep,
    client: ClientDep,
    reader: ReaderDep,
) -> Caller:
    return Caller(request, backend, settings, client, reader)


CallerDep = Annotated[Caller, Depends(_caller)]


def outcomes(
    answer: type[BaseModel], description: str, event: Mapping[str, str]
) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route; `event` describes the fields of a stream's events."""
    fields = {name: {"type": "string", "description": text} for name, text in event.items()}
    events = {"type": "object", "required": list(fields), "properties": fields}
    return NO_MODEL | {
        200: {
            "model": answer,
            "description": description,
            "content": {"text/event-stream": {"schema": events}},
        },
        502: {"description": "The model failed; try again."},
        503: {
            "description": "The model is missing or busy. If it is busy, `Retry-After` says when "
            "to try again."
        },
        504: {"description": "The completion was not finished within the time limit."},
    }
