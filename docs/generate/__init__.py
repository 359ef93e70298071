"""The pages and pictures of the documentation that are made from the code.

`outputs` knows them all; `python -m docs.generate` writes them, and a test compares them with what
is in the repository.
"""
