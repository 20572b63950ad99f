"""Effects of importing the user's modules, from source text alone.

Here are the statements that determine the value of a name, the changes that they make to other modules and to
libraries, and the values that may differ at each import. Entries for all this are made in `walk`.
"""
