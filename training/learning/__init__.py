"""From rows to an adapter: the base, its tokens, the likelihood and the trainers."""
