"""Data from elsewhere: artifacts of other revisions and repositories, and the content of URLs.

Other repositories are read through the user's git and never run: their records are untrusted input, and their bytes
are verified. The source of imported data is recorded in their ``.pvt`` file.
"""
