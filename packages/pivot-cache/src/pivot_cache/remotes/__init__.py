"""Transfers between the object store and remotes.

This room has the protocol of a remote, push and fetch with retries and resumed downloads, and shared run records. The
remotes themselves are plug-ins, such as pivot-remote-s3 and pivot-remote-obstore.
"""
