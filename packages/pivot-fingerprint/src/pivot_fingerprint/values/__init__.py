"""Values as digests.

Containers, instances, arrays and the standard library's types are encoded so that equal values give equal tokens
in any process.
"""
