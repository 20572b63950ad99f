"""History of runs: the events that commands report, the journals that keep them, and the runs replayed from those.

Also here are the logs of stages, their statistics, and the marks of stages that a killed run left unfinished.
The run cache, with the results of earlier runs, is in `pivot_cache.state`.
"""
