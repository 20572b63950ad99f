"""The declarations of one stage.

This room has `Dep`, `Out` and the other annotations, checks of outs, the analysis of signatures, shell commands,
notebooks, and ``${name}`` in paths. Parameters are in `params`, the dependencies between stages in `graph`.
"""
