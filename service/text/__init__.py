"""Plain text: cleaning it, comparing it and changing parts of it. Pure; knows no ideas."""
