"""Artifacts in the workspace, and the records that name them.

Lock files and ``.pvt`` files, tracked data, `pivot checkout`, stashed outs, and user files that are kept before
they are replaced.
"""
