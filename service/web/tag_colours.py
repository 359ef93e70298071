"""The colour of a tag: each name always has the same one, on every page and every server."""

import hashlib
import unicodedata

# The stylesheet has a rule for each of `tag-0` … `tag-9`.
COLOURS = 10


def tag_class(name: str) -> str:
    """The CSS class with the tag's colour. Names that differ only in case share it."""
    plain = unicodedata.normalize("NFC", name.strip()).casefold()
    digest = hashlib.sha256(plain.encode()).digest()
    return f"tag-{int.from_bytes(digest[:4]) % COLOURS}"
