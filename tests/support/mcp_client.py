"""How an assistant starts our server of tools: as a process of its own, over its pipes."""

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
