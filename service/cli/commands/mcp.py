"""`ideapool mcp`: serves tools to an AI assistant."""

import argparse

from service.settings import Settings


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", help="address of the server (IDEAPOOL_URL)")
    parser.add_argument("--key", help="its API key (IDEAPOOL_KEY is safer)")
    parser.set_defaults(command=_serve_tools)


def _serve_tools(settings: Settings, _options: argparse.Namespace) -> int:
    # Its library takes a second to import; `mcp --help` should not wait for it.
    from service.cli.mcp import serve

    return serve(settings)
