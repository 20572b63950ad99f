"""Texts of shell commands: the simple commands in them, and the Python programs that these start.

Nothing is run or looked up: a text alone is read, as bash would.
"""
