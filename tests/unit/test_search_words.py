"""The full-text index of PostgreSQL has the words that FTS5 has on SQLite."""

import sqlite3
import unicodedata
from collections.abc import Iterator
from contextlib import closing

import pytest

from service.store.dialects.words import LONGEST, words_in

# Latin, Greek, Cyrillic and what of other scripts boards are written in.
LETTERS = [
    chr(code)
    for part in ((0x20, 0x370), (0x400, 0x520), (0x5D0, 0x5EB), (0x1E00, 0x1F00), (0x3041, 0x3097))
    for code in range(*part)
    if unicodedata.category(chr(code)) not in ("Cc", "Cn", "Mn")
]
# FTS5 keeps two marks on an a, and takes an old form of s for one.
RARE = {"ǡ", "Ǡ", "ẛ"}
TEXTS = (
    "Café noir/blanc, e-mail: ann@example.org",
    "ÅNGSTRÖM smörgåsbord 3.14 -5 v2_final",
    "Straße ﬁt naïve Ελληνικά Москва",
    "家で「読む」 と 書く",
    "https://example.org/a/b?c=d&e",
    "don't  won’t\tdo\nit",
)


@pytest.fixture
def fts5() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as database:
        how = '"unicode61 remove_diacritics 2"'
        database.execute(f"CREATE VIRTUAL TABLE t USING fts5(text, tokenize = {how})")
        database.execute("CREATE VIRTUAL TABLE words USING fts5vocab(t, 'instance')")
        yield database


def in_fts5(database: sqlite3.Connection, texts: list[str]) -> list[list[str]]:
    database.executemany("INSERT INTO t(rowid, text) VALUES (?, ?)", enumerate(texts))
    found: list[list[str]] = [[] for _ in texts]
    for word, row in database.execute("SELECT term, doc FROM words ORDER BY doc, offset"):
        found[row].append(word)
    return found


def test_a_letter_within_a_word_is_the_same_on_both(fts5: sqlite3.Connection) -> None:
    texts = [f"a{letter}b" for letter in LETTERS]

    differing = {
        letter: (words, words_in(text))
        for letter, text, words in zip(LETTERS, texts, in_fts5(fts5, texts), strict=True)
        if words != words_in(text) and letter not in RARE
    }

    assert differing == {}


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_has_the_same_words_on_both(fts5: sqlite3.Connection, text: str) -> None:
    assert words_in(text) == in_fts5(fts5, [text])[0]


def test_a_word_that_is_too_long_for_the_index_is_cut() -> None:
    assert words_in("x" * 10_000) == ["x" * LONGEST]
