"""The backend with its own models: a supervised process, and which models are in memory."""
