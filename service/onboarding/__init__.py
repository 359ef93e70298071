"""What a board may start with: the templates and the sample board, which are files in `data`."""
