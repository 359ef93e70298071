"""The life and the events of runs, and chat completions, which are not runs."""
