"""The life and the events of runs, and completions, which are not runs."""
