"""A client of the REST API, for the commands and for AI assistants."""
