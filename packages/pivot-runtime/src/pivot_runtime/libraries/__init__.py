"""Libraries that are imported once for several hosts: in the fork server, which forks the hosts from itself.

A host sees such a library only from the moment at which its own code imports it, and only if that import would have the
same result as in a new process. The host itself, and the fork server, are in `host`.
"""
