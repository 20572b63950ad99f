"""Checks and garbage collection of an object store.

`fsck` finds damaged and missing objects; `gc_plan` decides what nothing names, and `gc` applies it.
"""
