"""What the service answers to: the API, the pages, and what operators ask."""
