"""Executes a parsed command: reads the settings, sets up the log, turns errors into an exit status."""

import argparse
import logging
import os
import sys

from pydantic import ValidationError

from service.errors import ConfigurationError, InvalidInput, ServerRefused, ServiceError
from service.settings import Settings

BAD_REQUESTS = (400, 413, 422)
PREFIX, NO_SUCH = "IDEAPOOL_", "There is no such setting."


def execute(options: argparse.Namespace) -> int:
    """Returns the exit status, as `main` does."""
    try:
        settings = _settings(options)
        logging.basicConfig(
            level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s"
        )
        if settings.log_level != "debug":
            # Their lines at every start and request tell an operator nothing.
            for name in ("alembic", "httpx2", "mcp"):
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
            f"  {_variable(item['loc'])}: {NO_SUCH if item['type'] == 'extra_forbidden' else item['msg']}"
            for item in error.errors()
        )
        raise ConfigurationError(f"These settings are not valid:\n{problems}") from error


def _variable(place: tuple[int | str, ...]) -> str:
    name = "_".join(map(str, place)).upper()
    return name if name.startswith(PREFIX) else f"{PREFIX}{name}"
