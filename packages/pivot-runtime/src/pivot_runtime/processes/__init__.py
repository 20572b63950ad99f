"""Processes and threads, whatever they run.

Clean forks, process trees, the end of a parent, the wire between two processes, and how many stages a machine can
run at once.
"""
