"""Plain text: cleaning it, comparing it and changing parts of it. It is pure and knows no ideas."""
