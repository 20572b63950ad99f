"""The names of files and the digests of their content.

This room has the paths of artifacts, the patterns that match several of them, and digests, which also serve for other
data. Only the search for files that match a pattern looks at the disk; hashing of files is in pivot-cache.
"""
