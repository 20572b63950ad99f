"""The host: the process that imports the user's code.

It fingerprints stages and forks a child for each stage run. Everything here runs in the host; the command's end
of the line is `loading.host_client`.
"""
