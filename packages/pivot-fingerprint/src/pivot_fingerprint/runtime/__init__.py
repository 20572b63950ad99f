"""Observation of running code, in this process and in its children.

This room has the recorder, the ways to start a recorder in children, and the comparison of executed code with a
manifest. Python programs that are started observe themselves: `start_file` executes `program_observer` with
`program_names` there, in any Python, so these import nothing of this package, and it imports neither. Other packages
use it through `pivot_fingerprint.observation`.
"""
