"""Source files and the modules that they belong to.

A file is read once, parsed only if necessary, and its results are stored in a memo. Modules are imported ones in
their current state, or others that are found on disk without an import.
"""
