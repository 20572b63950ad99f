"""Source code as text.

Syntax trees become canonical forms, names and scopes, without positions, comments and spelling. No module is
imported here, and nothing is read from the disk.
"""
