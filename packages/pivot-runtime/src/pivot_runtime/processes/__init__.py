"""Processes and threads of the operating system, whatever they run.

Clean forks, process trees, the end of a process with its parent, the messages between command and host, and the number
of usable processors. How a stage runs in a process is in `host` and `worker`.
"""
