"""The history of runs: reported events, the journals that store them, and runs replayed from journals.

The logs and statistics of stages are here, too. The run cache, with the results of earlier runs, is in
`pivot_cache.state`.
"""
