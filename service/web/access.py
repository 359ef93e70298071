"""Refuses what the role of whoever acts, or their key, does not allow, before the app sees the request."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qs

import anyio.to_thread
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, compile_path
from starlette.types import Scope

from service.actor import ACTOR, Actor, KeyScope, Role
from service.errors import NotFound
from service.messages import Text
from service.store.access import (
    AccessStore,
    highest,
    is_of_a_board,
    require_scope,
    role_needed,
)
from service.web.access_table import (
    FOR_ANYBODY,
    ON_A_BOARD,
    ON_A_BOARD_OF_THE_QUERY,
    ON_EVERY_BOARD,
    SCOPES,
)
from service.web.guard import SAFE_METHODS, is_open

_ENTRY = re.compile(r"([A-Z]+) +(/\S*)")


@dataclass(frozen=True, slots=True)
class Need:
    """`role` None means that any person may. `parameter` names what the board is found by: a parameter
    of the path, or `?` for the board of the query; empty means that every board is meant, and None that
    any board will do. `scope` is what the key must let through.
    """

    role: Role | None
    parameter: str | None
    scope: KeyScope = KeyScope.ADMIN


FOR_OWNERS = Need(Role.OWNER, "")


@dataclass(frozen=True, slots=True)
class _Route:
    """`needs` by method; a mounted app has none, and is for owners."""

    pattern: re.Pattern[str]
    needs: Mapping[str, Need] | None

    def need(self, method: str) -> Need | None:
        return FOR_OWNERS if self.needs is None else self.needs.get(method)


class Access:
    def __init__(self, routes: Sequence[BaseRoute], store: AccessStore) -> None:
        self._all = routes
        self._store = store

    async def check(self, scope: Scope) -> None:
        """Raises:
        RoleNeeded: whoever acts may see it, but not do this.
        ScopeNeeded: their key does not let it through.
        NotFound: they may not even see it.
        """
        actor = ACTOR.get()
        if actor.may_do_everything or is_open(scope["path"]):
            return
        need, values = self._need(scope["method"], scope["path"])
        if need is None:
            # No route, which the app says better.
            return
        require_scope(need.scope)
        if need.role is None:
            return
        if need.parameter == "?":
            board = parse_qs(scope["query_string"].decode("latin-1")).get("board", [""])[0]
            need = Need(need.role, "board_id") if board else FOR_OWNERS
            values = {"board_id": board} if board else {}
        await self._require(actor, need, values)

    def may_post(self, path: str, board_id: str | None) -> bool:
        """Whether whoever acts may send a form of a page about this board; None means about several, so
        that the highest role counts.
        """
        need, _ = self._need("POST", path)
        actor = ACTOR.get()
        if need is not None and actor.scope < need.scope:
            return False
        if need is None or need.role is None:
            return True
        if need.parameter == "":
            held = actor.role
        else:
            held = highest(actor) if board_id is None else actor.role_on(board_id)
        return (held or 0) >= need.role

    async def _require(self, actor: Actor, need: Need, values: Mapping[str, str]) -> None:
        assert need.role is not None, "asked for a role"
        held = actor.role
        if held is not None and held >= need.role:
            return
        if need.parameter is None:
            held = highest(actor)
        elif need.parameter:
            held = await anyio.to_thread.run_sync(
                self._store.role_on, need.parameter, values[need.parameter]
            )
            if held is None:
                raise NotFound(Text("It does not exist or was deleted."))
        elif "board_id" in values:
            # A board that one may not see is an unknown board here, too.
            await self._require(actor, Need(Role.READER, "board_id"), values)
        if held is None or held < need.role:
            raise role_needed(need.role)

    def _need(self, method: str, path: str) -> tuple[Need | None, Mapping[str, str]]:
        for route in self._routes:
            match = route.pattern.match(path)
            need = None if match is None else route.need(method)
            if match is not None and need is not None:
                return need, match.groupdict()
        return None, {}

    @cached_property
    def _routes(self) -> list[_Route]:
        """Made at the first use, because FastAPI resolves its routes at the first request."""
        return [_route(one.path, one.methods) for one in iter_route_contexts(self._all) if one.path]


def _route(path: str, methods: Collection[str] | None) -> _Route:
    if methods is None:
        return _Route(re.compile(rf"{re.escape(path)}(/|$)"), None)
    return _Route(compile_path(path)[0], {method: need_of(method, path) for method in methods})


def need_of(method: str, path: str) -> Need:
    return NEEDS.get(f"{method} {path}", FOR_OWNERS)


def entries(text: str) -> Iterator[str]:
    """The routes that a text of the table lists."""
    return (f"{method} {path}" for method, path in _ENTRY.findall(text))


def _parameter(entry: str) -> str | None:
    names = re.findall(r"\{(\w+)\}", entry)
    return next((name for name in names if is_of_a_board(name)), None)


def _scope(entry: str, role: Role | None) -> KeyScope:
    if entry in _SCOPES:
        return _SCOPES[entry]
    if role is Role.OWNER:
        return KeyScope.ADMIN
    return KeyScope.READ if entry.partition(" ")[0] in SAFE_METHODS else KeyScope.WRITE


def _need(entry: str, role: Role | None, parameter: str | None) -> Need:
    return Need(role, parameter, _scope(entry, role))


_SCOPES = {entry: scope for scope, text in SCOPES.items() for entry in entries(text)}
NEEDS: Mapping[str, Need] = {
    **{entry: _need(entry, None, None) for entry in entries(FOR_ANYBODY)},
    **{
        entry: _need(entry, role, _parameter(entry))
        for role, text in ON_A_BOARD.items()
        for entry in entries(text)
    },
    **{
        entry: _need(entry, role, "")
        for role, text in ON_EVERY_BOARD.items()
        for entry in entries(text)
    },
    **{entry: _need(entry, role, "?") for entry, role in ON_A_BOARD_OF_THE_QUERY.items()},
}
