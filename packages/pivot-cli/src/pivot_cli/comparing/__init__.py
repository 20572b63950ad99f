"""Formats values, tables and their differences between revisions, as text, as Markdown and as the documented JSON.

All modules are pure. `tables` also serves other rooms that display numbers or rows; `previews` formats those of one
revision.
"""
