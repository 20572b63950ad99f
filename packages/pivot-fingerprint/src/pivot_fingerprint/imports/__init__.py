"""The effects of importing the user's modules.

Which statements make a name what it is, which of them change libraries or other modules, and which values may
differ at each import; all of it from source text.
"""
