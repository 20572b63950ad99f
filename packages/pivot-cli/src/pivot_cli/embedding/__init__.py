"""Contexts for programs that live longer than a command, and commands that such programs start.

Nothing here prints, or reads the command line.
"""
