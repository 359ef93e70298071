"""Splits texts into the words of the full-text index on PostgreSQL, as FTS5 does on SQLite.

PostgreSQL's own parser takes paths, addresses and numbers with signs as single words, in which no part
would be found.
"""

import unicodedata

# PostgreSQL takes no word of more than 2,046 bytes.
LONGEST = 250


def words_in(text: str) -> list[str]:
    """Returns the words in lower case and without diacritics, as often as they occur."""
    split = "".join(map(_part, unicodedata.normalize("NFC", text)))
    return [word[:LONGEST] for word in split.split()]


def _part(character: str) -> str:
    """Returns what of a character belongs to a word; a space ends it."""
    if unicodedata.category(character)[0] in "LN":
        # Only Latin letters lose their diacritics: those of other scripts are other letters.
        base = unicodedata.normalize("NFD", character)[0]
        letter = base if base.isascii() else character
        folded = letter.casefold()
        return folded if len(folded) == 1 else letter.lower()[0]
    return "" if "\u0300" <= character <= "\u036f" else " "
