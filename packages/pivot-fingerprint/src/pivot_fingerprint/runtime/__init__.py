"""Observation of running code, in this process and in its children.

Here are the recorder, the ways by which children start one of their own, and the comparison of what ran with a
manifest. Other packages use it by `pivot_fingerprint.observation`.
"""
