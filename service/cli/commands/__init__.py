"""The commands, each with the function that adds its options. Only a command that is used is imported.

`serve`, `models`, `keys`, `invite`, `people`, `doctor`, `copy-database` and `completion` work on this
machine; the others are REST clients.
"""

import argparse
from collections.abc import Collection, Mapping
from pkgutil import resolve_name
from typing import Any

COMMANDS: Mapping[str, tuple[str, str]] = {
    "serve": ("serve:add_options", "start the server"),
    "models": ("models:add_actions", "manage model files"),
    "keys": ("keys:add_actions", "manage API keys"),
    "invite": ("people:add_invite", "make a link by which somebody joins"),
    "people": ("people:add_people", "list people, change what they may do, remove them"),
    "doctor": ("doctor:add_options", "check this machine and say what would be better"),
    "calibrate": (
        "calibrate:add_options",
        "fit scores to labelled notes, for a model without a score head",
    ),
    "brainstorm": ("asking:add_brainstorm", "suggest ideas for a topic, printed one by one"),
    "refine": ("asking:add_refine", "improve the text of an idea"),
    "evaluate": (
        "asking:add_evaluate",
        "score an idea; list strengths, concerns and a next step",
    ),
    "ideas": ("ideas:add_actions", "list, search, show, add, edit, delete and restore ideas"),
    "keep": ("ideas:add_keep", "keep suggestions as ideas"),
    "comments": ("comments:add_actions", "list, add, edit, delete and restore comments on ideas"),
    "like": ("comments:add_like", "like ideas, or take your likes back"),
    "trash": ("trash:add_actions", "restore all deleted ideas, or delete them for good"),
    "rank": ("ranking:add_actions", "rank ideas by comparing pairs"),
    "rounds": ("rounds:add_actions", "start, end and list writing rounds"),
    "boards": ("boards:add_actions", "list and create boards, empty or from templates"),
    "links": ("links:add_actions", "make and withdraw links that show a board to strangers"),
    "webhooks": ("webhooks:add_actions", "tell other programs what happens on the boards"),
    "export": ("files:add_export", "write all boards or one to a file"),
    "import": ("files:add_import", "import ideas from JSON, Markdown, CSV or plain lines"),
    "backup": ("files:add_backup", "copy the database, even while the server runs"),
    "restore": ("files:add_restore", "replace the database by a backup"),
    "copy-database": (
        "databases:add_options",
        "copy everything into an empty database, such as one of PostgreSQL",
    ),
    "completion": (
        "completion:add_options",
        "print the script that completes commands and options in a shell",
    ),
    "mcp": ("mcp:add_options", "serve tools to an AI assistant (MCP over stdio)"),
}


def add_to(commands: Any, needed: Collection[str]) -> None:
    """Adds every command to the parser, with its options if it is one of those `needed`."""
    for name, (function, text) in COMMANDS.items():
        parser: argparse.ArgumentParser = commands.add_parser(name, help=text)
        if name in needed:
            resolve_name(f"{__name__}.{function}")(parser)
