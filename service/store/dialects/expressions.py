"""Parts of statements that each database writes in its own way."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Integer,
    String,
    bindparam,
    false,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from service.store.dialects.words import words_in

# A word of a search.
WORD = re.compile(r"\w+")


class _Found(FunctionElement[bool]):
    type = Boolean()
    inherit_cache = True


class _Ranked(FunctionElement[int]):
    type = Integer()
    inherit_cache = True


class _Position(FunctionElement[int]):
    type = Integer()
    inherit_cache = True


class _HasItem(FunctionElement[bool]):
    type = Boolean()
    inherit_cache = True


def is_found(number: Any, q: str) -> ColumnElement[bool]:
    """Whether the idea with this number contains each word of `q`, or words that begin with it."""
    words = WORD.findall(q)
    lexemes = [one for word in words for one in words_in(word)]
    if not lexemes:
        return false()
    # Quoted, so that the search does not read a word as an operator.
    match = " ".join(f'"{word}"*' for word in words)
    query = " & ".join(f"'{word}':*" for word in lexemes)
    return _Found(number, _text("match", match), _text("query", query))


def contains_word(number: Any, word: str) -> ColumnElement[bool]:
    """Whether the idea with this number contains exactly this word of the index."""
    quoted = word.replace("'", "''")
    return _Found(number, _text("match", f'"{word}"'), _text("query", f"'{quoted}'"))


@compiles(_Found, "sqlite")
def _found_in_fts5(element: _Found, compiler: Any, **options: Any) -> str:
    number, match = (compiler.process(one, **options) for one in _parts(element, 0, 1))
    return f"{number} IN (SELECT rowid FROM idea_search WHERE idea_search MATCH {match})"


@compiles(_Found, "postgresql")
def _found_in_vectors(element: _Found, compiler: Any, **options: Any) -> str:
    number, query = (compiler.process(one, **options) for one in _parts(element, 0, 2))
    return f"{number} IN (SELECT number FROM idea_search WHERE words @@ CAST({query} AS TSQUERY))"


def ranked_number(key: Any, numbers: Mapping[str, int]) -> ColumnElement[int]:
    """The number of the row's key in `numbers`, or null."""
    return _Ranked(key, _text("numbers", json.dumps(dict(numbers))))


@compiles(_Ranked, "sqlite")
def _ranked_by_path(element: _Ranked, compiler: Any, **options: Any) -> str:
    key, numbers = (compiler.process(one, **options) for one in _parts(element, 0, 1))
    # Most rows have none, and to look for one in a set takes far less than in a document.
    return (
        f"CASE WHEN {key} IN (SELECT key FROM json_each({numbers})) "
        f"""THEN json_extract({numbers}, '$."' || {key} || '"') END"""
    )


@compiles(_Ranked, "postgresql")
def _ranked_by_key(element: _Ranked, compiler: Any, **options: Any) -> str:
    key, numbers = (compiler.process(one, **options) for one in _parts(element, 0, 1))
    # A subquery, so that the numbers are parsed once and not for each row.
    return f"CAST((SELECT CAST({numbers} AS JSONB)) ->> {key} AS INTEGER)"


def position_of(part: str, text: Any) -> ColumnElement[int]:
    """Where the part begins in the text, from 1; 0 if it is not in it, null if there is no text."""
    return _Position(text, _text("part", part))


@compiles(_Position, "sqlite")
def _instr(element: _Position, compiler: Any, **options: Any) -> str:
    return f"instr({compiler.process(element.clauses, **options)})"


@compiles(_Position, "postgresql")
def _strpos(element: _Position, compiler: Any, **options: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **options)})"


def has_item(document: Any, name: str, values: Sequence[str]) -> ColumnElement[bool]:
    """Whether the list `name` of a JSON document contains one of the values."""
    return _HasItem(document, _text("name", name), _text("values", json.dumps(list(values))))


@compiles(_HasItem, "sqlite")
def _has_item_by_path(element: _HasItem, compiler: Any, **options: Any) -> str:
    document, name, values = (compiler.process(one, **options) for one in _parts(element, 0, 1, 2))
    return (
        f"EXISTS (SELECT 1 FROM json_each({document}, '$.' || {name}) AS item "
        f"WHERE item.value IN (SELECT value FROM json_each({values})))"
    )


@compiles(_HasItem, "postgresql")
def _has_item_by_key(element: _HasItem, compiler: Any, **options: Any) -> str:
    document, name, values = (compiler.process(one, **options) for one in _parts(element, 0, 1, 2))
    items = f"{document} -> {name}"
    # What is no list cannot be taken apart.
    return (
        f"EXISTS (SELECT 1 FROM json_array_elements_text(CASE json_typeof({items}) "
        f"WHEN 'array' THEN {items} ELSE '[]' END) AS item(value) "
        f"WHERE item.value IN (SELECT json_array_elements_text(CAST({values} AS JSON))))"
    )


def _text(name: str, value: str) -> ColumnElement[str]:
    return bindparam(name, value, type_=String, unique=True)


def _parts(element: FunctionElement[Any], *places: int) -> list[Any]:
    clauses = list(element.clauses)
    return [clauses[place] for place in places]
