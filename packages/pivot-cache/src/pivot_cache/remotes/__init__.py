"""Transfers between the object store and remotes.

The protocol of a remote, push and fetch with retries and resumed downloads, and shared run records. Remotes
themselves are plug-ins, such as pivot-remote-s3.
"""
