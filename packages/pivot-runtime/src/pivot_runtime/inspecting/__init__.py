"""Commands that only look: `status`, `verify`, `list`, `dag` and `doctor`.

They change nothing that git or the user can see. `verify --rerun` runs stages in a scratch copy.
"""
