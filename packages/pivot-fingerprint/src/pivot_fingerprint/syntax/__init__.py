"""Source code as text.

Syntax trees become canonical forms, names and scopes; positions, comments and spelling are gone. No module is
imported and nothing is read from the disk.
"""
