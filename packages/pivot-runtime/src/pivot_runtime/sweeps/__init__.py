"""Sweeps: the combinations of values of parameters, each run in a private copy of the project, and their results.

A sweep changes nothing in the workspace. Each combination is an ordinary run of `running`, in its own process.
"""
