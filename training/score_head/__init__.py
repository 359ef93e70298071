"""Fits score heads to labelled notes and measures them."""
