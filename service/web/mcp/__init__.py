"""The Model Context Protocol over HTTP, under `/mcp`, for AI assistants."""

from service.web.mcp.endpoint import McpEndpoint, router

__all__ = ["McpEndpoint", "router"]
