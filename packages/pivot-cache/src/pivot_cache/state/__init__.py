"""Derived state that may be lost at any time.

This room has digests by stat signature, scans of directories, the run cache, and known objects on remotes.
"""
