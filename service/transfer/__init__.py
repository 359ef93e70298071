"""Import and export: reading files, writing files, and uploads that wait for confirmation."""
