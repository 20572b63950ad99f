"""The declarations of a ``pivot.yaml``.

This room has its JSON Schema, the validation against it, the expansion of a matrix, and the resulting stages. Parsing
YAML and importing the named functions are in pivot-runtime.
"""
