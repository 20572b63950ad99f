"""What code does this function rest on? A transitive, stable fingerprint of Python functions."""
