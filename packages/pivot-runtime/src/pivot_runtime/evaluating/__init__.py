"""Evaluation of stages: compares the loaded graph with the locks and the workspace.

A session has the graph and the open stores of one command; `evaluate` observes a stage and asks `pivot_core.decide`.
"""
