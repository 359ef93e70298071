"""The commands. `serve`, `models` and `keys` work on this machine; the others are REST clients."""

import argparse
from typing import Any

from service.cli.commands import asking, boards, files, ideas, keys, models, ranking, serve, trash
from service.settings import Settings


def add_to(commands: Any) -> None:
    """Adds the options of every command to the parser."""
    for family in (serve, models, keys, asking, ideas, trash, ranking, boards, files):
        family.add_to(commands)
    mcp = commands.add_parser("mcp", help="serve tools to an AI assistant (MCP over stdio)")
    mcp.add_argument("--url", help="address of the server (IDEAPOOL_URL)")
    mcp.add_argument("--key", help="its API key (IDEAPOOL_KEY is safer)")
    mcp.set_defaults(command=_serve_tools)


def _serve_tools(settings: Settings, _options: argparse.Namespace) -> int:
    # Its library takes a second to import; the other commands should not wait for it.
    from service.cli.mcp.server import serve

    return serve(settings)
