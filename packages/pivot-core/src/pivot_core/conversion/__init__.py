"""Conversions between values and typed data.

This room analyses type hints, converts values to them, and turns parameters into plain data for locks. Loaders, which
read the user's files, are elsewhere.
"""
