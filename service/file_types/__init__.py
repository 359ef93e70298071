"""Files that people attach to ideas: what they are, told from their bytes, and what is taken out of them."""
