"""Digests of values.

Containers, instances, arrays and the standard library's types are encoded so that equal values have equal tokens
in any process. Functions, classes and modules are encoded in `walk`.
"""
