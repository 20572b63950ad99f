"""The host: the process that imports the user's code.

It serves one command: it loads a pipeline file, fingerprints its stages, and runs each stage in a process of its own.
Everything here runs in the host; the command's end of the connection is `loading.host_client`.
"""
