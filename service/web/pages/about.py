"""The page about this Ideapool: version, licences, models, where data lies and what leaves the machine."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response

from service import __version__
from service.actor import ACTOR, OWNER
from service.engine.backend import Backend
from service.messages import Text
from service.schemas.models import ModelSets
from service.server_urls import parts
from service.settings import Settings
from service.store import Store
from service.web.dependencies import BackendDep, ServedModelsDep, SettingsDep, StoreDep
from service.web.pages.cookies import cookies_of
from service.web.pages.responses import render
from service.web.templating import STATIC, may

router = APIRouter(prefix="/about")


@dataclass(frozen=True, slots=True)
class Part:
    """Something of others that is bundled."""

    name: str
    licence: str
    version: str = ""
    purpose: str = ""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A connection that the server makes. `carries_texts` says that what people write goes through it.

    `to` is empty where readers are not told where it goes.
    """

    name: Text
    text: Text
    is_on: bool
    carries_texts: bool = False
    to: str = ""


# What is in `models/`; `static/vendor/vendor.json` lists the files for browsers.
MODEL_PARTS = (
    Part("WordLlama", "MIT", purpose=Text("word vectors, for similar ideas and groups")),
    Part("all-MiniLM-L6-v2", "Apache-2.0", purpose=Text("sentence encoder, to find related ideas")),
    Part(Text("Idea bank"), "CC0-1.0", purpose=Text("ideas to begin with, our own")),
    Part(Text("Labelled notes"), "CC0-1.0", purpose=Text("what scores are fitted to, our own")),
)


@router.get("")
def show_about(
    request: Request,
    store: StoreDep,
    settings: SettingsDep,
    backend: BackendDep,
    models: ServedModelsDep,
) -> Response:
    connections = list(outgoing(settings, store, backend, tells=_tells(settings)))
    context = {
        "version": __version__,
        "parts": (*vendored(), *MODEL_PARTS),
        "served": _served(models.describe()),
        "model_names": [one.name for one in backend.models()],
        "place": _place(settings),
        "is_postgresql": settings.sqlalchemy_url.startswith("postgresql"),
        "outgoing": connections,
        "texts_leave": any(one.is_on and one.carries_texts for one in connections),
        "cookies": cookies_of(request.scope),
        "logs_addresses": settings.log_level == "debug",
        "days": settings.trash_days,
    }
    return render(request, "help/about.html", context)


@cache
def vendored() -> tuple[Part, ...]:
    listed = json.loads((STATIC / "vendor" / "vendor.json").read_text(encoding="utf-8"))
    return tuple(
        Part(one["name"], one["licence"], one["version"], Text("for the pages, in the browser"))
        for one in listed["packages"]
    )


def outgoing(
    settings: Settings, store: Store, backend: Backend, *, tells: bool
) -> Iterator[Outgoing]:
    """All connections that the server makes by itself. With `tells`, also where they lead."""
    engines = [one.url for one in backend.stats().engines] or list(settings.engine_urls)
    yield Outgoing(
        Text("Engine"),
        Text("Prompts with the texts of ideas go to another server, which runs the model."),
        bool(engines),
        carries_texts=True,
        to=_hosts(engines, tells=tells),
    )
    yield Outgoing(
        Text("Webhooks"),
        Text(
            "What happens on a board, with the titles and texts of ideas, goes to other programs."
        ),
        _has_webhooks(store),
        carries_texts=True,
    )
    sources = [settings.hub_url, *parts(settings.index_url)]
    yield Outgoing(
        Text("Fetching models"),
        Text("Missing model files are fetched; nothing about your ideas is sent."),
        settings.fetch_models and not engines,
        to=_hosts(sources, tells=tells),
    )
    yield Outgoing(
        Text("Tracing"),
        Text("Times and addresses of requests, without texts, go to a collector."),
        settings.otlp_url is not None,
        to=_hosts([settings.otlp_url or ""], tells=tells),
    )


def _served(sets: ModelSets) -> ModelSets:
    return sets.model_copy(update={"sets": [one for one in sets.sets if one.is_served]})


def _has_webhooks(store: Store) -> bool:
    # Readers see none of them, but are told that there are some.
    token = ACTOR.set(OWNER)
    try:
        return any(one.is_active for one in store.webhooks.all())
    finally:
        ACTOR.reset(token)


def _tells(settings: Settings) -> bool:
    """Whether the reader may know how the server is set up."""
    return settings.shows_itself and may("owner")


def _place(settings: Settings) -> str:
    """Where the data lies; empty for whoever may not know it."""
    return str(settings.data_dir.resolve()) if _tells(settings) else ""


def _hosts(urls: list[str], *, tells: bool) -> str:
    """Only the host names: an address may have a password in it."""
    if not tells:
        return ""
    return ", ".join(dict.fromkeys(urlsplit(url).hostname or "" for url in urls if url))
