"""The terminal: messages, the status line and progress, formats of numbers, and control characters made harmless.

Nothing here knows about stages or runs.
"""
