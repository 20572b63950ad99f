"""Output on a terminal: messages, the status line, progress, formats of numbers, and escaping of control characters.

No module here knows stages or runs.
"""
