"""The directory of a run and the config that it was made with."""
