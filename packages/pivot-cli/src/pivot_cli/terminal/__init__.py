"""The terminal: error and hint lines, a line that is written again, and control characters made harmless.

Nothing here knows about stages or runs.
"""
