"""Observation of running code, in this process and in its children.

This room has the recorder, the ways to start a recorder in children, and the comparison of executed code with a
manifest. Other packages use it through `pivot_fingerprint.observation`.
"""
