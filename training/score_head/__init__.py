"""Score heads: fitted to labelled notes, and what they are worth."""
