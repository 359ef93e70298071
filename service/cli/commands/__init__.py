"""The commands. `serve`, `models` and `keys` work on this machine; the others are REST clients."""

import argparse
from typing import Any

from service.cli.commands import asking, boards, files, ideas, keys, models, ranking, serve
from service.settings import Settings


def add_to(commands: Any) -> None:
    """Adds every command of the package to the command line's."""
    for family in (serve, models, keys, asking, ideas, ranking, boards, files):
        family.add_to(commands)
    mcp = commands.add_parser("mcp", help="serve tools to an assistant (MCP, over stdio)")
    mcp.add_argument("--url", help="the server (IDEAPOOL_URL)")
    mcp.add_argument("--key", help="its API key (better in IDEAPOOL_KEY)")
    mcp.set_defaults(command=_serve_tools)


def _serve_tools(settings: Settings, _options: argparse.Namespace) -> int:
    # Its library takes a second to import, which the other commands should not pay.
    from service.cli.mcp.server import serve

    return serve(settings)
