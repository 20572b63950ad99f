"""The user's git repository, through the ``git`` executable.

`calls` is the only module that starts git; the others ask what git tracks, remembers and ignores.
"""
