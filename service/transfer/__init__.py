"""Ideas in and out as files: reading them, writing them, and what waits to be imported."""
