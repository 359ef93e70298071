"""Models asked for answers: a GGUF as it is served, or a chat model behind a URL."""
