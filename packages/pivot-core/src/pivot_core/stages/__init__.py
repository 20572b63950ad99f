"""The declarations of one stage.

Here are `Dep`, `Out` and the other annotations, what a signature declares through them, shell commands,
``${name}`` in paths, and who gives which parameter. How stages depend on each other is the graph's.
"""
