"""Reads a Dockerfile: its stages, their instructions, and what an image says about itself.

Of the syntax it knows what our own uses; `SHELL`, `ADD`, `ONBUILD` and here-documents are refused.
"""

import json
import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

KNOWN = set(
    "ARG CMD COPY ENV EXPOSE FROM HEALTHCHECK LABEL RUN STOPSIGNAL USER VOLUME WORKDIR".split()
)
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


@dataclass(frozen=True, slots=True)
class Instruction:
    """`options` are its `--name=value`, in their order; `text` is what follows them."""

    word: str
    options: tuple[tuple[str, str], ...]
    text: str

    def option(self, name: str) -> str | None:
        return dict(self.options).get(name)


@dataclass(frozen=True, slots=True)
class Stage:
    """`base` is another stage or an image from elsewhere; its variables are not replaced yet."""

    name: str
    base: str
    instructions: tuple[Instruction, ...]

    def copied(self) -> Iterator[tuple[str, str]]:
        """From where to where it copies what is not another stage's."""
        for one in self.instructions:
            if one.word == "COPY" and one.option("from") is None:
                *sources, target = one.text.split()
                for source in sources:
                    yield source, posixpath.join(target, source) if target.endswith("/") else target


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """`arguments` are those before the first stage, with their defaults."""

    arguments: dict[str, str]
    stages: tuple[Stage, ...]


def read(text: str) -> Dockerfile:
    """Raises: ValueError for an instruction that is not known here."""
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for one in _instructions(text):
        if one.word == "FROM":
            base, *name = re.split(r"\s+AS\s+", one.text, flags=re.IGNORECASE)
            stages.append(Stage(name[0] if name else "", base, ()))
        elif stages:
            last = stages[-1]
            stages[-1] = Stage(last.name, last.base, (*last.instructions, one))
        else:
            arguments |= pairs(one.text)
    return Dockerfile(arguments, tuple(stages))


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replaces `$NAME` and `${NAME}`; one that is not set becomes empty, as the builder does it."""
    return _VARIABLE.sub(lambda found: variables.get(found[1] or found[2], ""), text)


def pairs(text: str) -> dict[str, str]:
    """Of `NAME=value "OTHER=two words"`; a name alone has an empty value."""
    words = (word.partition("=") for word in shlex.split(text))
    return {name: value for name, _, value in words}


def words(text: str) -> list[str]:
    """A command as a list, whether it is written as JSON or for a shell."""
    if text.startswith("["):
        parsed: list[str] = json.loads(text)
        return parsed
    return ["/bin/sh", "-c", text]


def _instructions(text: str) -> Iterator[Instruction]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    whole = re.sub(r"[ \t]*\\\n\s*", " ", "\n".join(lines))
    for line in filter(None, map(str.strip, whole.splitlines())):
        word, _, rest = line.partition(" ")
        if word.upper() not in KNOWN or "<<" in rest:
            raise ValueError(f"This reader does not know {line!r}.")
        options: list[tuple[str, str]] = []
        while found := re.match(r"\s*--([\w-]+)(?:=(\S+))?\s+", rest):
            options.append((found[1], found[2] or ""))
            rest = rest[found.end() :]
        yield Instruction(word.upper(), tuple(options), rest.strip())
