"""Effects of importing the user's modules, from source text alone.

This room has the statements that determine the value of a name, the changes that they make to other modules and to
libraries, and the values that may differ at each import. Entries for these are created in `walk`.
"""
