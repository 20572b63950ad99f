"""Loading of pipeline files: their stages as plain data.

The snapshot of the last load is used as long as it holds; otherwise, a host imports the pipelines. The command itself
never imports user code.
"""
