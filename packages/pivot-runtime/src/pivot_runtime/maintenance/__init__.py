"""The commands of `pivot cache`: ``status``, ``verify``, ``gc`` and ``drop``.

Which objects are still needed by the projects that share a cache is decided here; `pivot_cache.maintenance` does the
work.
"""
