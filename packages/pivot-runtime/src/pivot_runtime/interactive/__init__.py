"""Functions for notebooks and scripts, which `pivot` exports: load, path, repro and status.

They work in the process of another program: beside its threads and event loop, without changing its directory, streams
or signal handlers, and without forking it. The command line does not use them.
"""
