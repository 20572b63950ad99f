"""Sharing of results through remotes: `push`, `fetch`, `pull`, and runs that fetch their inputs.

This room selects the artifacts; `pivot_cache.remotes` transfers the bytes.
"""
