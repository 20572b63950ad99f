"""The declarations of a ``pivot.yaml``.

Its JSON Schema, the check against it, the expansion of a matrix, and the stages that come out. Parsing YAML
and importing the functions that it names happen in pivot-runtime.
"""
