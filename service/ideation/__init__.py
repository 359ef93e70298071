"""The use cases: brainstorm, refine, evaluate, rank. Which questions the models are asked, and when.

`kinds` lists them. Each plans a task into work, or refuses it, and then does the work step by step.
"""
