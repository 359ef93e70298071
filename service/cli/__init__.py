"""The command line: `ideapool serve | models | keys`, and the commands that use a server."""
