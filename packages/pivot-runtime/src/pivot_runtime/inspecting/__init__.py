"""Read-only commands: `status`, `verify`, `list`, `dag` and `doctor`.

They change nothing that git or the user can see; `verify --rerun` runs stages in a scratch copy of the project. The
evaluation of stages that they share is in `evaluating`; the checks of the cache are in `maintenance`.
"""
