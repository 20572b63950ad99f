"""Conversions between values and typed data.

This room analyses type hints, converts values to them, turns parameters into plain data for locks, values of stages
into JSON data, and texts such as ``90s`` into seconds. Loaders, which read the user's files, are elsewhere.
"""
