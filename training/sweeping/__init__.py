"""Many settings on the same rows, and which of them is best."""
