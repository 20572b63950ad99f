"""The commands of `pivot cache`: ``status``, ``verify``, ``gc`` and ``drop``.

This room decides which objects the projects that share a cache still need; `pivot_cache.maintenance` does the work.
"""
