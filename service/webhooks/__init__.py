"""Tells other programs what happens on the boards, by the rules of standardwebhooks.com."""
