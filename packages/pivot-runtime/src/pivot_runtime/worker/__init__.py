"""The process of one stage run.

It loads the deps, calls the function or the shell command, saves the outs and reports errors. Everything here runs
in that process.
"""
