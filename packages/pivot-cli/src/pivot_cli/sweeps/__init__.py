"""Sweeps on the command line: `run` prints the lines of a sweep while it works, `results` formats tables of results.

The combinations are run by `pivot_runtime.sweeps`.
"""
