"""Formats of results: text for people, and the documented JSON.

Every function here is pure: records in, text out. Printing is the work of `reporting` and the commands.
"""
