"""The walk from a function to all code that it depends on.

Names are resolved, code objects become entries, and the closure becomes a manifest. The public entrance is
`Fingerprinter`.
"""
