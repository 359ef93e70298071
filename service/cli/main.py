"""The entry point of `ideapool`: parses the arguments, reads the settings, runs the command."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from service.cli.commands import add_to
from service.errors import ConfigurationError, InvalidInput, ServerRefused, ServiceError
from service.settings import Settings

BAD_REQUESTS = (400, 413, 422)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 2 for bad input or settings, 1 for any other known failure, 130 after
    Ctrl-C.
    """
    options = build_parser().parse_args(arguments)
    try:
        settings = _settings(options)
        logging.basicConfig(
            level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s"
        )
        if settings.log_level != "debug":
            # Their lines at every start and request tell an operator nothing.
            for name in ("alembic", "httpx2"):
                logging.getLogger(name).setLevel(logging.WARNING)
        status: int = options.command(settings, options)
    except ServiceError as error:
        print(f"ideapool: {error.detail}", file=sys.stderr)
        return 2 if _is_callers_fault(error) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader has closed the pipe; the flush at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def _is_callers_fault(error: ServiceError) -> bool:
    if isinstance(error, ServerRefused):
        return error.status in BAD_REQUESTS
    return isinstance(error, ConfigurationError | InvalidInput)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ideapool",
        description="An idea board with its own small language models.",
        epilog="Settings come from IDEAPOOL_* environment variables; see docs/operate/settings.md.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_to(commands)
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    given = {
        name: getattr(options, name)
        for name in ("host", "port", "url", "key")
        if getattr(options, name, None) is not None
    }
    try:
        return Settings(**given)
    except ValidationError as error:
        problems = "\n".join(
            f"  IDEAPOOL_{'_'.join(map(str, item['loc'])).upper()}: {item['msg']}"
            for item in error.errors()
        )
        raise ConfigurationError(f"These settings are not valid:\n{problems}") from error
