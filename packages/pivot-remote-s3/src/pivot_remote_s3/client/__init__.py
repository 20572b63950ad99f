"""Requests to a server of S3.

This room has the SDK's client of one remote, a client for single objects that bypasses most of the SDK, and their
connections, limits, signatures and bodies. Which objects are requested, and why, is decided in the modules above.
"""
