"""Whether a database file is in order."""

import sqlite3
from contextlib import closing
from pathlib import Path


def file_faults(path: Path) -> list[str]:
    """What SQLite's own check finds first; nothing if the file is in order."""
    with closing(sqlite3.connect(path)) as database:
        (found,) = database.execute("PRAGMA integrity_check").fetchone()
    return [] if found == "ok" else [f"integrity check: {found}"]
