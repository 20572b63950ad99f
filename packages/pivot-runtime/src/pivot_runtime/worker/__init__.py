"""The process of one stage run.

It loads the deps, calls the function or the shell command, saves the outs, and reports the result. Everything here runs
in that process; the host starts and ends it.
"""
