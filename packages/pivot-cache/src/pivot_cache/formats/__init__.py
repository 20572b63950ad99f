"""The formats that Pivot writes, as values.

Lock files, ``.pvt`` files and directory listings: parsed without trust, written byte for byte the same, merged
and compared. The objects that they name are not here.
"""
