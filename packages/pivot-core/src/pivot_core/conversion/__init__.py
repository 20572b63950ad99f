"""Conversions between values and typed data.

This room analyses type hints, converts values to them, turns parameters into plain data for locks, and values of stages
into JSON data. Loaders, which read the user's files, are elsewhere.
"""
