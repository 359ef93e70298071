"""Everything that speaks HTTP: the REST API, the pages, OpenAI's API, and health and metrics."""
