"""The declarations of one stage.

This room has `Dep`, `Out` and the other annotations, the analysis of signatures, shell commands, ``${name}`` in paths,
and the sources of parameters. The dependencies between stages are in `graph`.
"""
