"""Results as text for a person and as the documented JSON.

Every function here is pure: records in, text out. Printing is the work of `reporting` and the commands.
"""
