"""Values between files and types.

Type hints are taken apart, values are converted to them, and parameters become plain data that locks keep.
Reading a user's files is the loaders' work.
"""
