"""Names of files: made safe to store and to show, and written into headers (RFC 6266)."""

import re
from urllib.parse import quote

from service.file_types.sniffing import FileType

MOST_CHARACTERS = 120
# Control characters, and those that turn the direction of writing so that an ending seems another one.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
_NOT_IN_NAMES = re.compile(r'[\\/:*?"<>|]')
_NO_NAME = "file"


def clean_name(name: str, kind: FileType) -> str:
    """The last part of the name, with an ending that belongs to what the file is."""
    last = re.split(r"[\\/]", _UNSEEN.sub("", name))[-1]
    bare = _NOT_IN_NAMES.sub("-", " ".join(last.split())).strip(" .")
    stem, dot, ending = bare.rpartition(".")
    if f"{dot}{ending}".lower() not in kind.endings:
        stem, ending = bare, kind.endings[0].removeprefix(".")
    stem = (stem.strip(" .") or _NO_NAME)[: MOST_CHARACTERS - len(ending) - 1]
    return f"{stem}.{ending}"


def disposition(name: str, *, is_inline: bool) -> str:
    """The header `Content-Disposition`, with a name for programs that know only ASCII."""
    plain = re.sub(r"[^\w.() -]", "_", name, flags=re.ASCII)
    how = "inline" if is_inline else "attachment"
    return f"{how}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
