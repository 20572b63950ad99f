"""Results shared through remotes: `push`, `fetch`, `pull`, and runs that fetch their inputs.

Which artifacts are meant is decided here; moving the bytes is the work of `pivot_cache.remotes`.
"""
