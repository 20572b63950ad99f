"""Checks and garbage collection of an object store.

`fsck` finds damaged and missing objects; `gc_plan` finds garbage, and `gc` removes it.
"""
