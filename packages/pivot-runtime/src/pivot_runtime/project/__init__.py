"""The project on disk: its root and identity, the guard of writing commands, targets and ignored files.

The files that a run reads and writes are in `artifacts`; the user's git repository is in `git`.
"""
