"""The prompts, and the parsers of answers. Pure; shared with training."""
