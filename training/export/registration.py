"""Registers an exported model in a catalog of the service. Opens no model."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from service.engine.catalog import CatalogModel, read_catalog
from service.engine.files.atomic_write import replacing
from service.engine.types import REQUIRED_ROLES, Role
from service.errors import ConfigurationError
from training.config import as_toml
from training.errors import ExportFailed

ENTRY = re.compile(r"^\[\[\s*model\s*\]\]", re.MULTILINE)
# The keys that the tuned model takes over from the entry of its base.
INHERITED = (
    "context",
    "slots",
    "cache",
    "cache_tokens",
    "cache_token_bytes",
    "cache_sequence_bytes",
    "chat_template",
    "answer_prefix",
    "licence",
)


@dataclass(frozen=True, slots=True)
class Registration:
    """`like` is the entry of the base; its context, cache and licence are inherited.

    In the same set, the base itself fills the roles that the exported model lacks.
    """

    name: str
    path: Path
    sha256: str
    roles: Sequence[Role]
    like: CatalogModel | None = None

    def entry(self, catalog: Path) -> str:
        inherited: Mapping[str, object] = {
            key: value for key in INHERITED if (value := getattr(self.like, key, None)) is not None
        }
        values = {
            "name": self.name,
            "set": self.name,
            "roles": list(self.roles),
            "path": os.path.relpath(self.path.absolute(), catalog.absolute().parent),
            "sha256": self.sha256,
            "size_bytes": self.path.stat().st_size,
            **inherited,
        }
        return _as_entry(values)

    @property
    def base_name(self) -> str:
        return f"{self.name}-base"

    def base_entry(self, catalog: Path, roles: Sequence[Role]) -> str | None:
        """The entry of the base for these roles; None if the base is not known."""
        if self.like is None:
            return None
        file = self.like.file_name if self.like.path is None else None
        model = replace(
            self.like, name=self.base_name, set=self.name, roles=tuple(roles), file=file
        )
        values = TypeAdapter(CatalogModel).dump_python(
            model, mode="json", exclude_none=True, exclude_defaults=True
        )
        for table in (values, values.get("adapter", {}), values.get("score_head", {})):
            if "path" in table:
                table["path"] = os.path.relpath(table["path"], catalog.absolute().parent)
        return _as_entry(values)


def _as_entry(values: Mapping[str, Any]) -> str:
    lines = (f"{key} = {as_toml(value)}" for key, value in values.items())
    return "\n".join(["[[model]]", *lines]) + "\n"


def register(registration: Registration, catalog: Path) -> None:
    """Adds a set with the exported model's name, or replaces it, and keeps the rest of the file.

    The catalog is left unchanged if an error is raised.

    Raises:
        ConfigurationError: the catalog would not be readable.
        ExportFailed: the set could not be served.
    """
    name = registration.name
    text = catalog.read_text(encoding="utf-8") if catalog.is_file() else ""
    kept = _without_entry(_without_entry(text, name), registration.base_name).rstrip()
    entries = [kept, registration.entry(catalog).rstrip()]
    with replacing(catalog) as draft:
        draft.write_text(_joined(entries), encoding="utf-8")
        missing = _missing_roles(draft, name)
        base = registration.base_entry(catalog, missing) if missing else None
        if base is not None:
            draft.write_text(_joined([*entries, base.rstrip()]), encoding="utf-8")
        try:
            read_catalog(draft).select(name)
        except ConfigurationError as error:
            raise ExportFailed(
                f"{name} cannot be served from {catalog}, which is left unchanged: {error.detail} "
                "Change `export.roles`, or add a model without `set` for the missing role to the "
                "catalog."
            ) from error


def _joined(entries: Sequence[str]) -> str:
    return "\n\n".join(entry for entry in entries if entry) + "\n"


def _missing_roles(catalog: Path, name: str) -> tuple[Role, ...]:
    """The required roles that no model of this set has, nor one without a set."""
    models = [one for one in read_catalog(catalog).model if one.set in (None, name)]
    known = {role for one in models for role in one.roles}
    return tuple(role for role in REQUIRED_ROLES if role not in known)


def _without_entry(text: str, name: str) -> str:
    starts = [found.start() for found in ENTRY.finditer(text)]
    kept = [text[: starts[0]] if starts else text]
    named = re.compile(rf'^name\s*=\s*"{re.escape(name)}"', re.MULTILINE)
    for start, end in pairwise([*starts, len(text)]):
        entry = text[start:end]
        kept.append(_trailing_comments(entry) if named.search(entry) else entry)
    return "".join(kept)


def _trailing_comments(entry: str) -> str:
    """The comments at the end of an entry, which are about the next one."""
    lines = entry.splitlines(keepends=True)
    found = takewhile(lambda line: not line.strip() or line.startswith("#"), reversed(lines))
    return "".join(reversed(list(found)))
