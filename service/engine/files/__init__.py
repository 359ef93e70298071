"""Model files: fetching, verifying, building and naming them. Loads no model."""
