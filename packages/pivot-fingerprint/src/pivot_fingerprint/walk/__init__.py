"""The walk from a function to all code that it depends on.

Names are resolved, code objects become entries, and the closure of the entries becomes a manifest. The public
interface is `Fingerprinter`.
"""
