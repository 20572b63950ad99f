"""Artifacts in the workspace, the records that name them, and the open stores that hold their content.

This room has lock files and ``.pvt`` files, tracked data, `pivot checkout`, stashed outs with the marks of unfinished
stages, and user files saved before they are replaced. Objects themselves are in `pivot_cache.objects`.
"""
