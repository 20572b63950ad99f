"""Artifacts in the workspace, the records that name them, and the open stores that hold their content.

Lock files and ``.pvt`` files, tracked data, `pivot checkout`, stashed outs and the marks of unfinished stages, and
user files that are kept before they are replaced. Objects themselves are the work of `pivot_cache.objects`.
"""
