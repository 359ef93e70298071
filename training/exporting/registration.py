"""An exported model's entry in a catalog of the service. Opens no model."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from pathlib import Path

from service.engine.catalog import CatalogModel, read_catalog
from service.engine.types import Role
from training.drafts import replacing

ENTRY = re.compile(r"^\[\[\s*model\s*\]\]", re.MULTILINE)
# Of the base's entry, what holds for the tuned model as well.
INHERITED = ("context", "slots", "cache", "cache_tokens", "chat_template", "licence")


@dataclass(frozen=True, slots=True)
class Registration:
    """`like` is the base's entry, whose context, cache and licence are taken over."""

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
        # What JSON has for texts, numbers and lists is TOML as well.
        lines = (f"{key} = {json.dumps(value)}" for key, value in values.items())
        return "\n".join(["[[model]]", *lines]) + "\n"


def register(registration: Registration, catalog: Path) -> None:
    """Adds the entry, or replaces the one of the same name; the rest of the file stays as it is.

    Raises:
        ConfigurationError: the catalog could not be read then, and is left as it was.
    """
    text = catalog.read_text(encoding="utf-8") if catalog.is_file() else ""
    kept = _without(text, registration.name).rstrip()
    entry = registration.entry(catalog)
    with replacing(catalog) as draft:
        draft.write_text(f"{kept}\n\n{entry}" if kept else entry, encoding="utf-8")
        read_catalog(draft)


def _without(text: str, name: str) -> str:
    starts = [found.start() for found in ENTRY.finditer(text)]
    kept = [text[: starts[0]] if starts else text]
    named = re.compile(rf'^name\s*=\s*"{re.escape(name)}"', re.MULTILINE)
    for start, end in pairwise([*starts, len(text)]):
        entry = text[start:end]
        kept.append(_about_the_next(entry) if named.search(entry) else entry)
    return "".join(kept)


def _about_the_next(entry: str) -> str:
    """The comments at its end."""
    lines = entry.splitlines(keepends=True)
    found = takewhile(lambda line: not line.strip() or line.startswith("#"), reversed(lines))
    return "".join(reversed(list(found)))
