"""Events of runs, and the history made of them.

The journal, the logs of stages, statistics of earlier runs, and the stages that are running now.
"""
