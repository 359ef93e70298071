"""The entry point of `ideapool`: parses the arguments and executes the command."""

import argparse
import sys
from collections.abc import Sequence

from service import __version__
from service.cli.commands import COMMANDS, add_to


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 2 for bad input or settings, 1 for any other known failure, 130 after
    Ctrl-C.
    """
    given = sys.argv[1:] if arguments is None else arguments
    options = build_parser(given).parse_args(given)
    # What reads the settings takes long to import; `--help` and `--version` should not wait for it.
    from service.cli.execution import execute

    return execute(options)


def build_parser(arguments: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """The parser for these arguments; without them, one that has the options of every command."""
    parser = argparse.ArgumentParser(
        prog="ideapool",
        description="An idea board with its own small language models.",
        epilog="Settings come from IDEAPOOL_* environment variables; see docs/operate/settings.md.",
    )
    parser.add_argument("--version", action="version", version=f"Ideapool {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_to(commands, needed=COMMANDS if arguments is None else arguments)
    return parser
