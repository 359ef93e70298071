"""What happens on a board and who is there, for everybody who watches it."""
