"""Tools for AI assistants, served over the Model Context Protocol."""
