"""Files as the operating system has them.

Atomic and durable writes, hashing, walks, links and the one seam for system calls. Nothing here knows what a
file means to Pivot.
"""
