"""History of runs: the events that commands report, the journals that keep them, and the runs replayed from those.

Also here are the logs of stages and their statistics.
The run cache, with the results of earlier runs, is in `pivot_cache.state`.
"""
