"""From a base model and records to what the service runs: adapters, GGUF files and score heads.

The service never imports this package. It uses the service's prompts, answers and engine, so that
what is trained and measured is what is served.
"""
