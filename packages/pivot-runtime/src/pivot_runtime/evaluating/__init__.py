"""Evaluation of stages: the loaded graph compared with the locks and the workspace.

A session holds the graph and the open stores of one command; `evaluate` observes a stage and asks
`pivot_core.decide`.
"""
