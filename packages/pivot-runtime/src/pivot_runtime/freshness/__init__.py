"""Has anything changed since a command last looked?

Stamps of files and of the environment, what a load depended on, answers of commands that found nothing to do,
and waiting for the next change.
"""
