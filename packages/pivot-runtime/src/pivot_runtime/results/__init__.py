"""Recorded results: the parameters, metrics and outs of runs, as rows that are compared.

The runs themselves are in `running` and `sweeps`; the files of the results are `pivot_cache.state.results`.
"""
