"""The directory of a run and what it was made with."""
