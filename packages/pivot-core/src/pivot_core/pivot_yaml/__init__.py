"""The declarations of a ``pivot.yaml``.

This room has its JSON Schema, the validation against it, the expansion of templates, and the resulting stages. Parsing
YAML, reading files with variables and importing the named functions are in pivot-runtime.
"""
