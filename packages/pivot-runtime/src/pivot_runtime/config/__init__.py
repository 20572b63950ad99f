"""Configuration: its keys, the files that set them, and the changes of these files.

The environment overrides the project's file, which overrides the user's file, which overrides the defaults.
"""
