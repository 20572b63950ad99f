"""Source files and the modules that they belong to.

A file is read once, parsed only if it must be, and its results are kept in a memo. Modules are the imported ones
as they are now, or others found on disk without importing them.
"""
