"""Scripts: the code that a Python program depends on, from source alone.

A script is followed to the definitions of the project that it reaches by name, in all modules that it imports. Nothing
is imported or run, and no interpreter is asked: the caller says where modules are searched for.
"""
