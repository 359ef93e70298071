"""Looks at what Ideapool needs on this machine, changes nothing, and says what would be better."""

import asyncio
import os
import platform
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from service import __version__
from service.analysis.idea_bank import IdeaBank
from service.analysis.sentence_encoder import SentenceEncoder
from service.backend import look_at_engines, selection
from service.engine.catalog import CatalogModel
from service.engine.files.build import availability
from service.engine.files.checksums import verified_sha256
from service.engine.files.speeds import Speeds, library_line
from service.engine.host import cpu_features, memory_bytes, usable_cpus
from service.engine.llama.libraries import COMPILE, best_library
from service.engine.types import EngineState, EngineStatus
from service.errors import ServiceError, StorageUnavailable
from service.messages import Counted, Text
from service.settings import Settings
from service.store.database import Database, check_known, newest_revision
from service.store.database_lock import lock_holder
from service.store.dialects import Dialect, dialect_of
from service.store.replicas import ReplicaStore

State = Literal["ok", "better", "broken"]
Found = tuple[State, str] | tuple[State, str, str]
Check = Callable[[Settings], Iterator[Found]]
GB = 1e9
# Room for the database, its copies and uploads, on top of models that are still to be fetched.
SPARE_BYTES = 1_000_000_000
# A model takes its file in memory, a cache and the server beside it.
MEMORY_PER_BYTE, SERVER_BYTES = 1.4, 500_000_000
# What speeds llama.cpp up, as Linux names it and as people do.
FEATURES = {"avx2": "AVX2", "fma": "FMA", "f16c": "F16C", "avx512f": "AVX512"}
# What is most often said of a model's files; the rest names files and goes as it is.
STATES = {"here": Text("here"), "not fetched": Text("not fetched")}
ENGINE_STATES: dict[EngineState, Text] = {
    "starting": Text("not asked yet"),
    "loading": Text("loading its model"),
    "ready": Text("ready"),
    "trial": Text("on trial after a failure"),
    "busy": Text("full"),
    "failed": Text("out of reach"),
    "different": Text("another model"),
}
# Of an engine that gets requests, at least one at a time.
ANSWERING: tuple[EngineState, ...] = ("ready", "trial", "busy")
# The rights of users who have nothing to do with the server.
OTHERS = 0o007
PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


@dataclass(frozen=True, slots=True)
class Finding:
    """`advice` says what to do, where something is to be done."""

    subject: str
    state: State
    text: str
    advice: str = ""


def examine(settings: Settings, checks: Mapping[str, Check]) -> Iterator[Finding]:
    """What the checks find, in their order; a check that fails is a finding itself."""
    for subject, look in checks.items():
        try:
            yield from (Finding(subject, *found) for found in look(settings))
        except ServiceError as error:
            yield Finding(subject, "broken", error.detail)


def _program(_: Settings) -> Iterator[Found]:
    yield "ok", f"Ideapool {__version__}, Python {platform.python_version()}"


def _data_folder(settings: Settings) -> Iterator[Found]:
    folder = settings.data_dir.absolute()
    there = next(one for one in (folder, *folder.parents) if one.exists())
    if not os.access(there, os.W_OK):
        advice = Text("Let this user write there, or set IDEAPOOL_DATA_DIR.")
        yield "broken", Text("%(folder)s is not writable", folder=there), advice
        return
    free = shutil.disk_usage(there).free
    needed = SPARE_BYTES + sum(one.size_bytes or 0 for one in _downloads(settings))
    text = Text("%(folder)s, %(free)s GB free", folder=folder, free=_gb(free))
    if free < needed:
        advice = Text(
            "Free some space: models and the database need %(needed)s GB.", needed=_gb(needed)
        )
        yield "broken", text, advice
    else:
        yield "ok", text


def _memory(settings: Settings) -> Iterator[Found]:
    usable = memory_bytes()
    weights = {
        one.weights_path(settings.models_dir): one.size_bytes or 0 for one in _models(settings)
    }
    needed = int(MEMORY_PER_BYTE * sum(weights.values())) + SERVER_BYTES
    text = Text(
        "%(usable)s GB; the models need about %(needed)s GB",
        usable=_gb(usable),
        needed=_gb(needed),
    )
    if needed > usable:
        yield "broken", text, Text("Serve a smaller set: IDEAPOOL_MODEL=medium or small.")
    else:
        yield "ok", text


def _processor(_: Settings) -> Iterator[Found]:
    features = cpu_features()
    names = ", ".join(name for flag, name in FEATURES.items() if flag in features)
    text: Text = Counted("%(count)s usable CPU", "%(count)s usable CPUs", usable_cpus())
    if names:
        text = Text("%(cpus)s with %(features)s", cpus=text, features=names)
    if features and "avx2" not in features:
        advice = Text("Without AVX2 answers are several times slower. A newer machine helps most.")
        yield "better", text, advice
    else:
        yield "ok", text


def _library(settings: Settings) -> Iterator[Found]:
    if settings.engine_url is not None:
        return
    library = best_library()
    library.verify()
    text = library_line(Speeds(settings.data_dir), _models(settings)[0].name)
    flags = cpu_features()
    unused = [
        name
        for flag, name in FEATURES.items()
        if flag in flags and not library.is_native and flag not in library.needed_features
    ]
    if unused:
        advice = Text(
            "This CPU has %(features)s too. %(advice)s", features=", ".join(unused), advice=COMPILE
        )
        yield "better", text, advice
    else:
        yield "ok", text


def _model_files(settings: Settings) -> Iterator[Found]:
    if settings.engine_url is not None:
        urls = settings.engine_urls
        text = Text("not needed: %(server)s answers", server=urls[0])
        yield "ok", text if len(urls) == 1 else Text("not needed: the engines answer")
        return
    for model in _models(settings):
        state = availability(model, settings.models_dir)
        text = Text("%(model)s: %(state)s", model=model.name, state=STATES.get(state, state))
        path = model.weights_path(settings.models_dir)
        if path.is_file():
            verified_sha256(path, model.sha256)
            yield "ok", text
        elif state.startswith("here"):
            yield "ok", text
        else:
            advice = Text("The server fetches it at its start; or run “ideapool models fetch”.")
            yield "better", text, advice


def _engines(settings: Settings) -> Iterator[Found]:
    """Asks each server; a running Ideapool knows more, and says it by `engine_findings`."""
    yield from engine_findings(asyncio.run(look_at_engines(settings)))


def engine_findings(engines: Sequence[EngineStatus]) -> Iterator[Found]:
    if not engines:
        yield "ok", Text("none: the models run on this machine")
    others_answer = any(one.state in ANSWERING for one in engines)
    for one in engines:
        is_answering = one.state in ANSWERING
        if (is_answering and one.error is None) or one.state == "busy":
            yield "ok", _engine_line(one)
        else:
            state: State = "better" if others_answer else "broken"
            advice = one.error or Text("It is still getting ready. Look again in a moment.")
            yield state, _engine_line(one), advice


def _engine_line(one: EngineStatus) -> Text:
    state = Text("%(url)s: %(state)s", url=one.url, state=ENGINE_STATES[one.state])
    if one.model:
        state = Text(
            "%(engine)s, %(kind)s with %(model)s", engine=state, kind=one.kind, model=one.model
        )
    if one.state not in ANSWERING:
        return state
    return Text(
        "%(engine)s, %(running)s of %(slots)s places taken",
        engine=state,
        running=one.running,
        slots=one.slots,
    )


def _idea_bank(settings: Settings) -> Iterator[Found]:
    if not settings.idea_bank:
        yield "ok", Text("switched off")
        return
    IdeaBank(SentenceEncoder()).load()
    yield "ok", Text("its files are complete and correct")


def _keys(settings: Settings) -> Iterator[Found]:
    if not settings.needs_key:
        yield "ok", Text("not needed: only this machine can reach the server")
        return
    facts = dialect_of(settings.sqlalchemy_url).facts()
    if facts is not None and facts.keys:
        yield "ok", str(facts.keys)
    elif settings.create_key:
        yield "ok", Text("the first start makes one")
    else:
        text = Text("none, and others can reach the server")
        yield "broken", text, Text("Run “ideapool keys create NAME”.")


def _database(settings: Settings) -> Iterator[Found]:
    dialect = dialect_of(settings.sqlalchemy_url)
    place = dialect.path.absolute() if dialect.path else dialect.place
    try:
        facts = dialect.facts()
    except StorageUnavailable as error:
        advice = (
            Text("Restore a backup with “ideapool restore”.")
            if dialect.path
            else Text("Start the server of the database, or correct IDEAPOOL_DATABASE_URL.")
        )
        yield "broken", f"{place}: {error.detail}" if dialect.path else error.detail, advice
        return
    if facts is None:
        yield "ok", Text("%(path)s is made at the first start", path=place)
        return
    size = round(facts.size_bytes / 1e6, 1)
    text: str = Text(
        "%(server)s: %(path)s, %(size)s MB", server=facts.server, path=place, size=size
    )
    if dialect.path and (holder := lock_holder(dialect.path)) is not None:
        text = Text("%(file)s, in use by %(process)s", file=text, process=holder)
    if facts.revision is None:
        yield "ok", Text("%(file)s, still empty", file=text)
    elif facts.revision != newest_revision():
        text = Text("%(file)s, schema %(revision)s", file=text, revision=facts.revision)
        check_known(facts.revision, str(place))
        yield "better", text, _upgrade_advice(dialect)
    elif dialect.path and dialect.path.stat().st_mode & OTHERS:
        advice = Text("Take their rights away: chmod o= %(path)s*", path=place)
        yield "better", Text("%(file)s, open to other users", file=text), advice
    else:
        yield "ok", text


def _upgrade_advice(dialect: Dialect) -> Text:
    if dialect.path:
        return Text("The next start upgrades it, after a copy.")
    return Text("The next start upgrades it. Make a backup with pg_dump first.")


def _replicas(settings: Settings) -> Iterator[Found]:
    dialect = dialect_of(settings.sqlalchemy_url)
    if dialect.path is not None:
        return
    facts = dialect.facts()
    if facts is None or facts.revision != newest_revision():
        # The tables of another version are not read; what is said of the database is enough.
        return
    with closing(Database(settings.sqlalchemy_url)) as database:
        seen = ReplicaStore(database, "").seen()
    if not seen:
        yield "ok", Text("none runs")
    for one in seen:
        text = Text("%(name)s, Ideapool %(version)s", name=one.name, version=one.version)
        if not one.is_here:
            text = Text("%(server)s, gone for %(seconds)s s", server=text, seconds=one.seen_s)
            yield "better", text, Text("It starts again, or it is forgotten after an hour.")
        elif one.is_outdated:
            yield "better", text, Text("It is older than the tables: upgrade it too.")
        else:
            yield "ok", text


def _proxy(_: Settings) -> Iterator[Found]:
    found = [name for name in PROXIES if os.environ.get(name) or os.environ.get(name.lower())]
    if found:
        yield "ok", Text("%(names)s for downloads", names=", ".join(found))
    else:
        yield "ok", Text("none")


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "program": _program,
        "data folder": _data_folder,
        "memory": _memory,
        "processor": _processor,
        "library": _library,
        "models": _model_files,
        "engines": _engines,
        "idea bank": _idea_bank,
        "keys": _keys,
        "database": _database,
        "servers": _replicas,
        "proxy": _proxy,
    }
)


def _models(settings: Settings) -> tuple[CatalogModel, ...]:
    return () if settings.engine_url is not None else selection(settings).models


def _downloads(settings: Settings) -> Iterator[CatalogModel]:
    """Models whose weights are missing; those with the same file count once."""
    missing = {one.weights_path(settings.models_dir): one for one in _models(settings)}
    return (one for path, one in missing.items() if one.path is None and not path.is_file())


def _gb(size_bytes: float) -> float:
    return round(size_bytes / GB, 1)
