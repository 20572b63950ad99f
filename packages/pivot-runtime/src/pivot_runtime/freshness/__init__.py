"""Detection of changes since a command last ran.

The room has stamps of files and of the environment, the traces of loads, the cached output of commands that found
nothing to do, and the wait for the next change.
"""
