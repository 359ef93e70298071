"""Makes what the service runs from a base model and records: adapters, GGUF files and score heads.

The service never imports this package. Training uses the service's own prompts, answer parsers and
engine, so a model is trained and measured exactly as it is served.
"""
