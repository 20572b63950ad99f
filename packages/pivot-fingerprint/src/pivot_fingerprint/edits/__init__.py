"""Edits that have not been made: the code that they change, and the fingerprints in which that counts.

This room compares texts of source files. Nothing is imported or run, so that an edit may come from anyone; without an
import, some effects cannot be known, and this room says so. `foresee` is the way in.
"""
