"""The file formats of Pivot, as values.

Lock files, ``.pvt`` files and directory listings are parsed as untrusted input, written canonically, merged and
compared here. The objects that they name are elsewhere.
"""
