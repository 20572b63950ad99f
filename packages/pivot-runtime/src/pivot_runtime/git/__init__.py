"""The user's git repository, through the ``git`` executable.

Only `calls` starts git; the other modules ask what git tracks, remembers and ignores, and what a commit contains.
"""
