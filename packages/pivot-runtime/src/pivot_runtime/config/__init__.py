"""Configuration: its keys, the files that set them, and the changes of these files.

The environment overrides the project's file, that overrides the user's file and the defaults.
"""
