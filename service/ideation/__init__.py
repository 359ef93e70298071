"""The use cases: brainstorm, refine, evaluate, rank.

`kinds` lists them. Each plans a task, or refuses it, and then performs it step by step.
"""
