"""Derived state that may be lost at any time.

Digests by stat signature, scans of directories, the run cache, and what this machine knows of remotes.
"""
