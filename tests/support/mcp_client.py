"""Starts the MCP server as an assistant does: as a child process, over stdin and stdout."""

import os
import sys

from mcp import StdioServerParameters

from service.settings import PROJECT_ROOT


def over_stdio(environment: dict[str, str]) -> StdioServerParameters:
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "service", "mcp"],
        cwd=PROJECT_ROOT,
        env=os.environ | environment,
    )
