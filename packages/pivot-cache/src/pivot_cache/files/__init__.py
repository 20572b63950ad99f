"""Access to files of the operating system.

This room has atomic and durable writes, hashing, walks, links, and the only module with system calls. No module here
knows what a file means to Pivot.
"""
