"""The process that stays after a command with `warm: on`: it has imported libraries, and forks hosts of later commands.

A command uses it only if a host forked from it does not differ from one of its own. The hosts themselves, and the fork
server that each command gets from it, are in `host`; the libraries are in `libraries`.
"""
