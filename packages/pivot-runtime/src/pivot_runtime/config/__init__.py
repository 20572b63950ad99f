"""Configuration: its keys, the files that set them, and the changes of these files.

The environment wins over the project's file, that over the user's file and the defaults.
"""
