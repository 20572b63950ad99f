"""From pipeline files to loaded stages, as plain data.

The snapshot of the last load is used while it holds; otherwise a host imports the pipelines. The command never
imports user code itself.
"""
