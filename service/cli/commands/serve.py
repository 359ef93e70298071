"""`ideapool serve`: starts the server."""

import argparse

from service.settings import Settings


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", help="address to bind (IDEAPOOL_HOST)")
    parser.add_argument("--port", type=int, help="port (IDEAPOOL_PORT)")
    parser.set_defaults(command=_serve)


def _serve(settings: Settings, _options: argparse.Namespace) -> int:
    # Importing the app takes a second; `serve --help` should not wait for it.
    from service.cli.serving import serve

    return serve(settings)
