"""Runs the language models. It knows neither the web nor the database."""
