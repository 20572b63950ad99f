"""Observation of running code.

Which functions really ran, in this process and in those that it starts, and which of them no manifest knows.
`pivot_fingerprint.observation` is the public entrance.
"""
