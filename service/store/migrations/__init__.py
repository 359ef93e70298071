"""The migrations of the database, one file per step."""
