"""Model files: fetching, verifying and building them. Loads no model."""
